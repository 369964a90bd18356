/** What an operator asks of a router of a lab that takes time or changes something: plain data, to be asked again. */
import type { JsonValue } from '../../execution-env/contract/index.ts'
import type { PluginSettings } from '../../router/index.ts'

/** A bundle is its bytes here; in a record it is their name. */
export type Command<Bundle = Uint8Array> =
  | {
      readonly do: 'load' | 'try-load'
      readonly bundle: Bundle
      /** Undefined: the plugin's name. */
      readonly id?: string | undefined
      readonly settings: PluginSettings
      readonly by: string
    }
  | {
      readonly do: 'upgrade' | 'try-upgrade'
      readonly id: string
      readonly bundle: Bundle
      /** Undefined: as it was. */
      readonly config?: JsonValue | undefined
      readonly state: 'move' | 'discard'
      readonly by: string
    }
  | { readonly do: 'rollback'; readonly id: string; readonly by: string }
  | { readonly do: 'unload'; readonly id: string; readonly flows: 'drain' | 'purge' }
  /** A message to a plugin, and a query that a plugin answers. */
  | {
      readonly do: 'call' | 'ask'
      readonly id: string
      readonly name: string
      readonly argument: JsonValue
      readonly by: string
    }
