/**
 * Hashes of flows and names. The one idea: MurmurHash3 (x86, 32 bits; Austin Appleby, 2011) over 32-bit words, with a
 * seed: routers that have the same seed choose the same, and who does not know it cannot aim at one backend.
 */

/** The fields of a flow that are hashed; every `Flow` has them. */
export interface FlowTuple {
  /** Addresses as unsigned 32-bit numbers. */
  readonly source: number
  readonly destination: number
  readonly protocol: number
  readonly fromPort: number
  readonly toPort: number
}

/** What a policy chooses by: a flow, or a hash of whatever is to stay together. */
export type HashKey = FlowTuple | number

function mixWord(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
  const next = hash ^ mixed
  return (Math.imul((next << 13) | (next >>> 19), 5) + 0xe6546b64) | 0
}

/** @param length bytes that were mixed */
function finish(hash: number, length: number): number {
  let mixed = hash ^ length
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** Hash of a flow's five-tuple: unsigned, 32 bits. Packets of one flow have the same. */
export function hashFlow(flow: FlowTuple, seed = 0): number {
  const ports = (flow.fromPort << 16) | flow.toPort
  const addresses = mixWord(mixWord(seed, flow.source), flow.destination)
  return finish(mixWord(mixWord(addresses, ports), flow.protocol), 16)
}

/** Hash of a flow's source address: all flows of one client have the same. */
export function hashSource(flow: FlowTuple, seed = 0): number {
  return finish(mixWord(seed, flow.source), 4)
}

/** Hash of a name, one word a UTF-16 unit. */
export function hashName(name: string, seed = 0): number {
  let hash = seed
  for (let at = 0; at < name.length; at++) hash = mixWord(hash, name.charCodeAt(at))
  return finish(hash, name.length * 4)
}

/** Hash of two hashes. */
export function hashPair(one: number, other: number): number {
  return finish(mixWord(one, other), 4)
}

/** The hash of a key. */
export function hashOf(key: HashKey, seed = 0): number {
  return typeof key === 'number' ? key >>> 0 : hashFlow(key, seed)
}
