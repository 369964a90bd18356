/**
 * Bells: what a program is told because of time or of a change of routing. The one idea: each rings by putting one
 * letter into the mailbox, never two at a time, however late the plugin is; what belongs to a program that does not
 * serve any more rings no longer.
 */
import { type Engine, EngineError } from '../../engine/index.ts'
import type { RouteView } from '../contract/api/index.ts'
import { viewRoute } from './ask.ts'
import { equalData } from './holdings.ts'
import { answerEvent, routeEvent, subscriptionLetter, timerEvent } from './letters.ts'
import type { Program } from './program.ts'
import type { Subscription } from './subscription.ts'
import type { Tenant } from './tenant.ts'
import { TimerQueue } from './timer-queue.ts'

/** A subscription of a program of a tenant. */
export interface Bell {
  readonly tenant: Tenant
  readonly program: Program
  readonly number: number
  readonly subscription: Subscription
}

/** How it stands with a bell. */
interface Ringing extends Bell {
  /** A letter waits. */
  waits: boolean
  /** What was told last, of a route. */
  route: RouteView | null | undefined
}

const SECOND = 1e9

export class Bells {
  readonly #engine: Engine
  readonly #isLive: (bell: Bell) => boolean
  readonly #timers = new TimerQueue<Ringing>()
  #routes: Ringing[] = []
  #generation = -1

  /** @param isLive whether the bell's program serves and still has the subscription */
  constructor(engine: Engine, isLive: (bell: Bell) => boolean) {
    this.#engine = engine
    this.#isLive = isLive
  }

  /** When the next timer is due; at once when routing has changed. */
  get nextAt(): number {
    if (this.#routes.length > 0 && this.#generation !== this.#engine.routeGeneration)
      return Number.NEGATIVE_INFINITY
    return this.#timers.earliest
  }

  subscribed(bell: Bell, now: number): void {
    const ringing: Ringing = { ...bell, waits: false, route: undefined }
    switch (bell.subscription.kind) {
      case 'timer':
        return this.#timers.add(now + bell.subscription.everyNs, ringing)
      case 'watch':
        return this.#timers.add(now, ringing)
      case 'route':
        this.#routes.push(ringing)
        this.#generation = -1
    }
  }

  /** Rings what is due; returns how many did. */
  ring(now: number, wake: (tenant: Tenant) => void): number {
    let rung = this.#ringRoutes(wake)
    for (let each = this.#timers.takeDue(now); each !== undefined; each = this.#timers.takeDue(now)) {
      rung++
      if (!this.#mayRing(each, now)) continue
      this.#ringTimer(each, now)
      wake(each.tenant)
    }
    return rung
  }

  /** Whether a timer that is due still means something, and is not too often; sees to its next time. */
  #mayRing(bell: Ringing, now: number): boolean {
    const { tenant, program, subscription } = bell
    if (!this.#isLive(bell)) return false
    const { everyNs } = subscription as Extract<Subscription, { kind: 'timer' | 'watch' }>
    const isRepeated = subscription.kind === 'watch' || (subscription.kind === 'timer' && subscription.repeat)
    const allowed = subscription.kind === 'watch' || program.timerRate.take(now)
    if (isRepeated) this.#timers.add(now + everyNs, bell)
    else if (!allowed) this.#timers.add(now + SECOND / program.grants.timersPerSecond, bell)
    if (allowed && !bell.waits) return true
    tenant.counters.timersMissed++
    return false
  }

  #ringTimer(bell: Ringing, now: number): void {
    const { tenant, program, number, subscription } = bell
    bell.waits = true
    const event = () => {
      bell.waits = false
      if (subscription.kind !== 'watch') return this.#timerEvent(bell)
      try {
        return answerEvent(number, this.#engine.query.get(subscription.query, now))
      } catch (error) {
        if (!(error instanceof EngineError)) throw error
        return undefined
      }
    }
    if (tenant.mailbox.put(subscriptionLetter(program, number, subscription, event))) tenant.counters.timers++
    else {
      bell.waits = false
      tenant.counters.timersMissed++
    }
  }

  /** A timer that rings once is over when it has. */
  #timerEvent({ program, number, subscription }: Ringing) {
    if (subscription.kind === 'timer' && !subscription.repeat) program.subscriptions.delete(number)
    return timerEvent(number)
  }

  #ringRoutes(wake: (tenant: Tenant) => void): number {
    const { routeGeneration } = this.#engine
    if (this.#routes.length === 0 || this.#generation === routeGeneration) return 0
    this.#generation = routeGeneration
    this.#routes = this.#routes.filter((each) => this.#isLive(each))
    let rung = 0
    for (const bell of this.#routes) {
      const { tenant, program, number, subscription } = bell
      const route = viewRoute(
        this.#engine,
        (subscription as Extract<Subscription, { kind: 'route' }>).address,
      )
      if (bell.waits || (bell.route !== undefined && equalData(bell.route, route))) continue
      bell.waits = true
      const event = () => {
        bell.waits = false
        bell.route = viewRoute(
          this.#engine,
          (subscription as Extract<Subscription, { kind: 'route' }>).address,
        )
        return routeEvent(number, bell.route)
      }
      tenant.mailbox.put(subscriptionLetter(program, number, subscription, event))
      rung++
      wake(tenant)
    }
    return rung
  }
}
