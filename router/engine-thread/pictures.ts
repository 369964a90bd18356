/**
 * What the main thread shows of the plugins without asking each time. The one idea: a picture is sent when something
 * in it has changed, at most a few times a second and with every answer, so that whoever asked sees what came of it.
 */
import type { PluginHost, PluginLogLine, PluginReport, SandboxReport } from '../plugins/plugin-host.ts'
import type { LogNews, Picture } from './messages.ts'

/** The side of the engine's thread. */
export class PictureSource {
  readonly #plugins: Pick<PluginHost, 'list' | 'logs'>
  readonly #sandboxes: () => readonly SandboxReport[]
  #sent = ''
  /** The last line that was sent, by instance. */
  #last = new Map<string, PluginLogLine | undefined>()

  constructor(plugins: Pick<PluginHost, 'list' | 'logs'>, sandboxes: () => readonly SandboxReport[]) {
    this.#plugins = plugins
    this.#sandboxes = sandboxes
  }

  /** What has changed since the last call, with all that stands beside it; undefined when nothing has. */
  take(): Picture | undefined {
    const plugins = this.#plugins.list()
    const sandboxes = this.#sandboxes()
    const logs = this.#news(plugins)
    const text = JSON.stringify([plugins, sandboxes])
    if (text === this.#sent && logs.length === 0) return undefined
    this.#sent = text
    return { plugins, sandboxes, logs }
  }

  #news(plugins: readonly PluginReport[]): LogNews[] {
    const before = this.#last
    this.#last = new Map()
    return plugins.flatMap(({ id }) => {
      const lines = this.#plugins.logs(id)
      const last = before.get(id)
      this.#last.set(id, lines.at(-1))
      if (lines.at(-1) === last) return []
      const from = last === undefined ? 0 : lines.lastIndexOf(last) + 1
      return [{ id, lines: lines.slice(from), kept: lines.length }]
    })
  }
}

/** The side of the main thread. */
export class PictureFrame {
  plugins: readonly PluginReport[] = []
  sandboxes: readonly SandboxReport[] = []
  readonly #logs = new Map<string, PluginLogLine[]>()

  /** The last lines of an instance, oldest first; none of one that is not there. */
  logs(id: string): readonly PluginLogLine[] {
    return this.#logs.get(id) ?? []
  }

  hang({ plugins, sandboxes, logs }: Picture): void {
    this.plugins = plugins
    this.sandboxes = sandboxes
    for (const { id, lines, kept } of logs) {
      const all = [...(this.#logs.get(id) ?? []), ...lines]
      this.#logs.set(id, all.slice(all.length - kept))
    }
    const there = new Set(plugins.map((each) => each.id))
    for (const id of this.#logs.keys()) if (!there.has(id)) this.#logs.delete(id)
  }
}
