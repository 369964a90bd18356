/** A router that runs already, as the place of a plugin that is being written. */
import type { JsonValue } from '../../execution-env/contract/index.ts'
import { type BuiltPlugin, type SignerFiles, signPlugin } from '../../sdk/tools.ts'
import { Instance, type LogSink, type Place, type Placed } from './place.ts'

export interface RouterPlaceOptions {
  /** A router of this machine; default: the only one. */
  readonly router: string | undefined
  /** Default: the plugin's name. */
  readonly id: string | undefined
  readonly signer: SignerFiles
  readonly config: JsonValue | undefined
  readonly onLogs: LogSink
}

export class RouterPlace implements Place {
  readonly #options: RouterPlaceOptions
  #instance: Instance | undefined

  constructor(options: RouterPlaceOptions) {
    this.#options = options
  }

  /** @throws ControlError where the router cannot be reached, CertificateError for the signer's files */
  async put({ bytes, manifest }: BuiltPlugin): Promise<readonly Placed[]> {
    const { router, id = manifest.name, signer, config, onLogs } = this.#options
    const signed = signPlugin(bytes, signer, Date.now())
    // A router that was started again is reached anew.
    this.#instance?.close()
    this.#instance = await Instance.reach(router, id, onLogs)
    return [await this.#instance.put(signed, config)]
  }

  async close(): Promise<void> {
    this.#instance?.close()
  }
}
