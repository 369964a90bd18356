/** The flows of the benchmarks on real devices: 64-byte UDP datagrams. */
import type { PacketSlab } from '../engine/index.ts'
import { createIpv4, ETHER_TYPE_IPV4, emitEthernet, emitIpv4, emitUdp } from '../engine/wire/index.ts'

const FRAME_BYTES = 64

/** Source and destination address and source port of a flow; the protocol is UDP and the other port 80. */
export function flowOf(flow: number): { source: number; destination: number; port: number } {
  return { source: 0x0a000100 + (flow & 0xff), destination: 0xc6120000 + (flow >> 8), port: 1024 + flow }
}

/** Loads one frame of each of the first `count` flows. */
export function loadFlows(slab: PacketSlab, count: number, to: Uint8Array, from: Uint8Array): Int32Array {
  return Int32Array.from({ length: count }, (_, flow) => {
    const { source, destination, port } = flowOf(flow)
    const frame = new Uint8Array(FRAME_BYTES)
    const at = emitEthernet(frame, 0, to, from, ETHER_TYPE_IPV4)
    emitIpv4(frame, at, {
      ...createIpv4(),
      totalBytes: 50,
      ttl: 64,
      protocol: 17,
      source,
      destination,
      id: flow,
    })
    emitUdp(frame, at + 20, source, destination, port, 80, new Uint8Array(22))
    return slab.load(frame)
  })
}
