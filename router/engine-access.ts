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
} from '../engine/index.ts'

export interface EngineAccess {
  /** Applies changes of the router's own, all or none. Rejects with EngineError. */
  commit(changes: readonly Change[]): Promise<void>
  query(query: Query): Promise<Answer>
  explain(question: FlowQuestion): Promise<Explanation>
}

/** An engine in this thread. */
export class LocalEngine implements EngineAccess {
  readonly #engine: Engine
  readonly #now: () => Nanoseconds
  readonly #changed: () => void

  /**
   * @param now monotonic time of the engine's loop
   * @param changed called after each change: the engine may have something to do
   */
  constructor(engine: Engine, now: () => Nanoseconds, changed: () => void = () => {}) {
    this.#engine = engine
    this.#now = now
    this.#changed = changed
  }

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
}
