/**
 * What a host says to its routers: its messages, signed with the key of its certificate. The one idea: one voice for
 * all sessions, so that its certificates are prepared once and its state is the same to everybody.
 */
import {
  COOKIE_BYTES,
  emitMessage,
  emitSignedMessage,
  type HostState,
  MAX_LOAD,
  NONCE_BYTES,
  SIGNALING_PROTOCOL,
  type SignedMessage,
} from '../../engine/signaling/message.ts'
import { type Ipv4Prefix, parseIpv4Prefix } from '../../engine/wire/index.ts'
import { type Credential, signMessage } from '../../execution-env/certificates/index.ts'
import { type LoadSource, soundLoad } from './load.ts'

export interface VoiceOptions {
  /** Of type host, Ed25519. */
  readonly credential: Credential
  /** The host's own address, which tunnels lead to and messages come from; unsigned. */
  readonly address: number
  /** Prefixes of virtual hosts, as text; at most 64, within the certificate's grant. */
  readonly virtualHosts: readonly string[]
  /** How often the host would like to report, in ms; the router decides. */
  readonly intervalMs: number
  readonly load: LoadSource
}

interface NamedPrefix {
  readonly text: string
  readonly prefix: Ipv4Prefix
}

const NO_COOKIE = new Uint8Array(COOKIE_BYTES)
const MOST_CONNECTIONS = 0xffff_ffff

export class Voice {
  /** What the next report says of the host. */
  state: HostState = 'active'
  readonly #options: VoiceOptions
  #certificates: readonly Uint8Array[]
  readonly #prefixes: readonly NamedPrefix[]

  /** @throws RangeError when a prefix is none, or what the host is does not fit into one message */
  constructor(options: VoiceOptions) {
    this.#options = options
    const { certificate, chain } = options.credential
    this.#certificates = [certificate, ...chain].map((each) => each.der)
    this.#prefixes = options.virtualHosts.map((text) => {
      const prefix = parseIpv4Prefix(text)
      if (prefix === undefined) throw new RangeError(`${text} is no prefix`)
      return { text, prefix }
    })
    this.#leaveOutWhatDoesNotFit()
  }

  /** Routers may have authorities at hand; the host's own certificate they cannot. Better now than when one answers. */
  #leaveOutWhatDoesNotFit(): void {
    for (;;) {
      try {
        this.introduction(new Uint8Array(NONCE_BYTES), NO_COOKIE, 0)
        return
      } catch (error) {
        if (!(error instanceof RangeError) || this.#certificates.length === 1) throw error
        this.#certificates = this.#certificates.slice(0, -1)
      }
    }
  }

  hello(nonce: Uint8Array): Uint8Array {
    return emitMessage({ type: 'hello', nonce, cookie: NO_COOKIE })
  }

  introduction(nonce: Uint8Array, cookie: Uint8Array, router: number): Uint8Array {
    const { address, intervalMs } = this.#options
    const virtualHosts = this.#prefixes.map(({ prefix }) => prefix)
    const certificates = this.#certificates
    return this.#signed({
      type: 'introduction',
      nonce,
      cookie,
      router,
      address,
      intervalMs,
      virtualHosts,
      certificates,
    })
  }

  /** A report of how the host is now. */
  report(session: Uint8Array, sequence: number): Uint8Array {
    const { load, loads = {}, connections } = this.#options.load()
    const services = this.#prefixes.map(({ text, prefix }) => ({
      prefix,
      load: soundLoad(loads[text] ?? load, MAX_LOAD),
    }))
    return this.#signed({
      type: 'state',
      session,
      sequence,
      state: this.state,
      connections: Math.min(Math.max(0, Math.trunc(connections)), MOST_CONNECTIONS),
      services,
    })
  }

  bye(session: Uint8Array, sequence: number): Uint8Array {
    return this.#signed({ type: 'bye', session, sequence })
  }

  #signed(message: SignedMessage): Uint8Array {
    return emitSignedMessage(message, (bytes) =>
      signMessage(this.#options.credential.key, SIGNALING_PROTOCOL, bytes),
    )
  }
}
