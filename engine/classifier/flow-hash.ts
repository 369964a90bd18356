/**
 * The keyed hash of the flow table. The one idea: each word of a key is whitened with a secret of its own before it
 * is multiplied, so that nobody who does not know them can choose keys that collide; and the words are mixed side
 * by side, so that a processor needs little more time for four than for one.
 */
import { hashFlowKey } from '../wire/flow-key.ts'

export class FlowHash {
  readonly #source: number
  readonly #destination: number
  readonly #ports: number

  /** @param seed secret 32 bits, from which the three secrets come */
  constructor(seed: number) {
    this.#source = hashFlowKey(1, 0, 0, 0, seed)
    this.#destination = hashFlowKey(2, 0, 0, 0, seed)
    this.#ports = hashFlowKey(3, 0, 0, 0, seed)
  }

  /** Signed 32 bits, all of them well mixed; equal for signed and unsigned words. */
  of(source: number, destination: number, ports: number, protocol: number): number {
    let a = Math.imul(source ^ this.#source, 0x85ebca6b)
    let b = Math.imul(destination ^ this.#destination, 0xc2b2ae35)
    let c = Math.imul(ports ^ this.#ports, 0x27d4eb2f)
    a ^= a >>> 15
    b ^= b >>> 14
    c ^= c >>> 16
    let hash =
      (Math.imul(a, 0x165667b1) + Math.imul(b, 0x9e3779b1) + Math.imul((c + protocol) | 0, 0xcc9e2d51)) | 0
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x2c1b3c6d)
    return hash ^ (hash >>> 16)
  }
}
