/**
 * The desk where programs ask the proxies. The one idea: a request is counted against its plugin's limits before
 * anybody works for it, and its answer becomes one letter when its time has come; so that whoever asks too much hears
 * `limit` a second later, and turns neither the router nor itself in a circle.
 */
import type { ServiceAnswer, ServiceCommand } from '../contract/api/index.ts'
import { type PluginServices, type ServiceRequest, serviceFailure } from '../proxies/plugin-services.ts'
import type { Bell } from './bells.ts'
import { serviceEvent, subscriptionLetter } from './letters.ts'
import { MAILBOX_LIMIT } from './mailbox.ts'
import type { Program } from './program.ts'
import type { Tenant } from './tenant.ts'
import { TimerQueue } from './timer-queue.ts'

export interface ServiceDeskOptions {
  readonly services: PluginServices
  readonly isLive: (bell: Bell) => boolean
  /** The dispatcher's time; answers may come at any moment. */
  readonly now: () => number
}

interface Answered {
  readonly bell: Bell
  readonly answer: ServiceAnswer
}

/** How long a refusal for too many takes, and another look at a full mailbox. */
const PATIENCE_NS = 1e9

export class ServiceDesk {
  readonly #options: ServiceDeskOptions
  readonly #answers = new TimerQueue<Answered>()

  constructor(options: ServiceDeskOptions) {
    this.#options = options
  }

  /** When `ring` next has something to do. */
  get nextAt(): number {
    return this.#answers.earliest
  }

  /** Asks for a program that has subscribed to the answer. */
  ask(bell: Bell, command: ServiceCommand, now: number): void {
    const { tenant, program } = bell
    const { requestsAtOnce, requestsPerSecond } = program.limits
    tenant.counters.requests++
    const refused =
      tenant.requestsUnderWay >= requestsAtOnce
        ? `more than ${requestsAtOnce} requests at a time`
        : program.requestRate.take(now)
          ? undefined
          : `more than ${requestsPerSecond} requests a second`
    if (refused !== undefined) {
      tenant.counters.requestsRefused++
      this.#answers.add(now + PATIENCE_NS, { bell, answer: serviceFailure('limit', refused) })
      return
    }
    tenant.requestsUnderWay++
    let isOpen = true
    this.#options.services.ask(requestOf(command, program), (answer) => {
      if (!isOpen) return
      isOpen = false
      tenant.requestsUnderWay--
      this.#answers.add(this.#options.now(), { bell, answer })
    })
  }

  /** Puts what has come into mailboxes; returns how much. */
  ring(now: number, wake: (tenant: Tenant) => void): number {
    let rung = 0
    for (let each = this.#answers.takeDue(now); each !== undefined; each = this.#answers.takeDue(now)) {
      rung++
      const { bell, answer } = each
      const { tenant, program, number, subscription } = bell
      if (!this.#options.isLive(bell)) continue
      if (tenant.mailbox.size >= MAILBOX_LIMIT) {
        this.#answers.add(now + PATIENCE_NS, each)
        continue
      }
      const event = () => {
        program.subscriptions.delete(number)
        return serviceEvent(number, answer)
      }
      tenant.mailbox.put(subscriptionLetter(program, number, subscription, event))
      wake(tenant)
    }
    return rung
  }
}

function requestOf(command: ServiceCommand, { grants, limits }: Program): ServiceRequest {
  switch (command.do) {
    case 'fetch':
      return {
        kind: 'fetch',
        url: command.url,
        origins: grants.origins,
        redirects: command.redirects ?? 0,
        maxBytes: limits.responseBytes,
      }
    case 'lookup-certificate':
      return { kind: 'lookup', name: command.name }
    case 'sign':
      return { kind: 'sign', key: command.key, text: command.text }
    case 'verify': {
      const { key, publicKey, text, signature } = command
      return { kind: 'verify', key, publicKey, text, signature }
    }
  }
}
