/** The backends of this version, each loaded when it is first asked for. */
import { type Backend, type BackendName, type BackendRegistry, BackendUnavailableError } from './backend.ts'

/** How each backend is loaded; a text says why there is none. */
const LOADERS: Readonly<Record<BackendName, (() => Promise<Backend>) | string>> = {
  sim: async () => (await import('./sim/backend.ts')).simBackend,
  netns: async () => (await import('./netns/backend.ts')).netnsBackend,
}

/** The registry of the `pronto` command. */
export const backends: BackendRegistry = {
  async open(name) {
    const load = LOADERS[name]
    if (typeof load === 'string') throw new BackendUnavailableError(name, load)
    return await load()
  },
}
