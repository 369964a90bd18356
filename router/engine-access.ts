/**
 * What the router's administration asks of the engine. The one idea: promises and plain data, so that the engine may
 * run in another thread; in the simulator it is beside us.
 */
import {
  type Answer,
  type Change,
  type Engine,
  type Explanation,
  explainFlow,
  type FlowQuestion,
  type Nanoseconds,
  type Query,
  ROUTER_OWNER,
  SECOND,
} from '../engine/index.ts'
import type { RouterConfig } from './config/index.ts'
import { type CapturePart, PortCaptures } from './port-captures.ts'

export interface EngineAccess {
  /** Makes the ports of the configuration with which the router comes up. Once, before anything else. */
  begin(config: RouterConfig): Promise<void>
  /** Applies changes of the router's own, all or none. Rejects with EngineError. */
  commit(changes: readonly Change[]): Promise<void>
  query(query: Query): Promise<Answer>
  explain(question: FlowQuestion): Promise<Explanation>
  /** Begins to capture a port; `snapBytes` 0 keeps whole frames. Answers with the capture's number. */
  beginCapture(port: string, snapBytes: number): Promise<number>
  takeCapture(capture: number): Promise<CapturePart>
  /** Idempotent. */
  endCapture(capture: number): Promise<void>
}

/** An engine in this thread. */
export class LocalEngine implements EngineAccess {
  readonly #engine: Engine
  readonly #captures: PortCaptures
  readonly #now: () => Nanoseconds
  readonly #changed: () => void

  /**
   * @param now monotonic time of the engine's loop
   * @param changed called after each change: the engine may have something to do
   */
  constructor(engine: Engine, now: () => Nanoseconds, changed: () => void = () => {}) {
    this.#engine = engine
    this.#captures = new PortCaptures(engine, now)
    this.#now = now
    this.#changed = changed
  }

  /** Its ports are whoever's who made it. */
  async begin(): Promise<void> {}

  async commit(changes: readonly Change[]): Promise<void> {
    this.#engine.control.commit(ROUTER_OWNER, changes, this.#now())
    this.#changed()
  }

  async query(query: Query): Promise<Answer> {
    return this.#engine.query.get(query, this.#now())
  }

  async explain(question: FlowQuestion): Promise<Explanation> {
    const { stages, owners, names } = this.#engine
    return explainFlow({ stages, owners, names }, question, this.#now())
  }

  async beginCapture(port: string, snapBytes: number): Promise<number> {
    return this.#captures.begin(port, snapBytes, Date.now() / 1e3 - this.#now() / SECOND)
  }

  async takeCapture(capture: number): Promise<CapturePart> {
    return this.#captures.take(capture)
  }

  async endCapture(capture: number): Promise<void> {
    this.#captures.end(capture)
  }
}
