/**
 * The proxies as the engine's thread has them: requests of plugins on their way to the main thread. The one idea: only
 * so many are under way at once, whoever they are from, so that nothing piles up between the threads; what finds no
 * room is answered so at once.
 */
import {
  type PluginServices,
  type ServiceDone,
  type ServiceRequest,
  serviceFailure,
} from '../../execution-env/index.ts'
import type { Served, ServiceCall } from './messages.ts'

/** Requests handed over and not yet answered. */
const WINDOW = 64

export class ServiceWindow implements PluginServices {
  readonly #hand: (call: ServiceCall) => void
  readonly #underWay = new Map<number, ServiceDone>()
  #numbers = 0

  /** @param hand gives a request to whoever works for it */
  constructor(hand: (call: ServiceCall) => void) {
    this.#hand = hand
  }

  ask(request: ServiceRequest, done: ServiceDone): void {
    if (this.#underWay.size >= WINDOW)
      return done(serviceFailure('limit', `more than ${WINDOW} requests of all plugins at a time`))
    const number = ++this.#numbers
    this.#underWay.set(number, done)
    this.#hand({ number, request })
  }

  /** One of them has been answered. */
  served({ number, answer }: Served): void {
    const done = this.#underWay.get(number)
    this.#underWay.delete(number)
    done?.(answer)
  }
}
