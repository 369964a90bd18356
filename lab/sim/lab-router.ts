/**
 * The administration of a simulated router in one of its lives. The one idea: it is the router's own; only, virtual
 * time stands still while it works, and what operators ask is handed in between two instants (operator-desk.ts), so
 * that the same commands at the same virtual times do the same again.
 */
import type { Answer, FlowQuestion, Query } from '../../engine/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import {
  AuditLog,
  ControlError,
  type PluginSettings,
  Router,
  type RouterOptions,
} from '../../router/index.ts'
import type { Command } from '../record/index.ts'
import type { OperatorDesk } from './operator-desk.ts'

export interface LabRouterOptions extends Omit<RouterOptions, 'audit' | 'version'> {
  /** Name of the router in its lab. */
  readonly node: string
  /** Where operators are served; undefined: there are none. */
  readonly desk: OperatorDesk | undefined
  /** Called when something begins for which time has to stand still. */
  readonly pause: () => void
}

type Report = Awaited<ReturnType<Router['load']>>
type Trial = Awaited<ReturnType<Router['tryLoad']>>

export class LabRouter extends Router {
  readonly #node: string
  readonly #desk: OperatorDesk | undefined
  readonly #pause: () => void
  readonly #end = Promise.withResolvers<never>()
  #isOver = false
  #underWay = 0

  constructor({ node, desk, pause, ...options }: LabRouterOptions) {
    super({ ...options, version: 'lab', audit: new NoAudit('') })
    this.#node = node
    this.#desk = desk
    this.#pause = pause
    this.#end.promise.catch(() => {})
  }

  /** Whether its work goes on as soon as the event loop gets a turn: until then time must stand still. */
  get isBusy(): boolean {
    return !this.#isOver && this.#underWay > 0
  }

  /** Whether this life is over. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The router has lost its power: whoever waits hears it, and nothing is answered any more. */
  end(): void {
    this.#isOver = true
    this.#end.reject(down(this.#node))
  }

  /** Does what takes turns of the event loop, while time stands still. */
  async whilePaused<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#isOver) throw down(this.#node)
    this.#underWay++
    this.#pause()
    try {
      return await Promise.race([work(), this.#end.promise])
    } finally {
      this.#underWay--
    }
  }

  /** Carries out a command, now. Rejects as the router does. */
  carryOut(command: Command): Promise<unknown> {
    switch (command.do) {
      case 'load':
        return this.whilePaused(() => super.load(command.bundle, command.id, command.settings, command.by))
      case 'try-load':
        return this.whilePaused(() => super.tryLoad(command.bundle, command.id, command.settings))
      case 'upgrade': {
        const { id, bundle, config, state, by } = command
        return this.whilePaused(() => super.upgrade(id, bundle, config, state, by))
      }
      case 'try-upgrade':
        return this.whilePaused(() => super.tryUpgrade(command.id, command.bundle, command.config))
      case 'rollback':
        return this.whilePaused(() => super.rollback(command.id, command.by))
      case 'unload':
        return this.whilePaused(() => super.unload(command.id, command.flows))
      // Nothing of the router waits for the answer of a plugin.
      case 'call':
        return this.#untilTheEnd(super.call(command.id, command.name, command.argument, command.by))
      case 'ask':
        return this.#untilTheEnd(super.ask(command.id, command.name, command.argument))
    }
  }

  override load(bundle: Uint8Array, id: string | undefined, settings: PluginSettings, by: string) {
    return this.#handIn<Report>({ do: 'load', bundle, id, settings, by })
  }

  override tryLoad(bundle: Uint8Array, id: string | undefined, settings: PluginSettings) {
    return this.#handIn<Trial>({ do: 'try-load', bundle, id, settings, by: '' })
  }

  override upgrade(
    id: string,
    bundle: Uint8Array,
    config: JsonValue | undefined,
    state: 'move' | 'discard',
    by: string,
  ) {
    return this.#handIn<Report>({ do: 'upgrade', id, bundle, config, state, by })
  }

  override tryUpgrade(id: string, bundle: Uint8Array, config: JsonValue | undefined) {
    return this.#handIn<Trial>({ do: 'try-upgrade', id, bundle, config, state: 'move', by: '' })
  }

  override rollback(id: string, by: string) {
    return this.#handIn<Report>({ do: 'rollback', id, by })
  }

  override unload(id: string, flows: 'drain' | 'purge') {
    return this.#handIn<void>({ do: 'unload', id, flows })
  }

  override call(id: string, name: string, argument: JsonValue, by: string) {
    return this.#handIn<JsonValue>({ do: 'call', id, name, argument, by })
  }

  override ask(id: string, name: string, argument: JsonValue) {
    return this.#handIn<JsonValue>({ do: 'ask', id, name, argument, by: '' })
  }

  override list() {
    if (this.#isOver) throw down(this.#node)
    return super.list()
  }

  override async query(query: Query): Promise<Answer> {
    if (this.#isOver) throw down(this.#node)
    return super.query(query)
  }

  override async explain(question: FlowQuestion) {
    if (this.#isOver) throw down(this.#node)
    return super.explain(question)
  }

  async #handIn<Result>(command: Command): Promise<Result> {
    await this.#desk?.turn(this.#node, command, () => !this.#isOver)
    return (await this.carryOut(command)) as Result
  }

  #untilTheEnd<Result>(answer: Promise<Result>): Promise<Result> {
    return Promise.race([answer, this.#end.promise])
  }
}

function down(node: string): ControlError {
  return new ControlError('closing', `${node} is down`)
}

/** What operators of a lab do is in its record; the rest is nobody's business. */
class NoAudit extends AuditLog {
  override write(): void {}
}
