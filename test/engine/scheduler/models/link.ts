/** A link scheduler with a slab, a log of drops and short ways to fill it. */
import type { DropCode } from '../../../../engine/drop-reason.ts'
import { LENGTH, META_SHIFT, PacketSlab } from '../../../../engine/packet.ts'
import { LinkScheduler, type LinkSchedulerOptions } from '../../../../engine/scheduler/link-scheduler.ts'

export function makeLink(options: Partial<LinkSchedulerOptions> & { capacity?: number } = {}) {
  const { capacity = 1024, ...rest } = options
  const slab = new PacketSlab({ capacity, stride: 256 })
  const drops: { packet: number; code: DropCode; at: number }[] = []
  const scheduler = new LinkScheduler({
    slab,
    limitPackets: capacity,
    onDrop: (packet, code, at) => {
      drops.push({ packet, code, at })
      slab.release(packet)
    },
    ...rest,
  })
  const { classes } = scheduler
  const packet = (bytes: number): number => {
    const taken = slab.allocate()
    slab.meta[(taken << META_SHIFT) + LENGTH] = bytes
    return taken
  }
  /** Queues `count` packets under a label and returns the first one. */
  const fill = (label: number, count: number, bytes = 1000, now = 0): number[] =>
    Array.from({ length: count }, () => {
      const made = packet(bytes)
      if (scheduler.enqueue(made, classes.leafOf(label), now) !== 0) slab.release(made)
      return made
    })
  const lengthOf = (of: number): number => slab.meta[(of << META_SHIFT) + LENGTH]
  return { slab, scheduler, classes, drops, packet, fill, lengthOf }
}
