/** Making a port of a driver: the one place where its configuration is judged. */
import { EngineError } from './errors.ts'
import type { PacketSlab } from './packet.ts'
import type { Port } from './port.ts'
import type { PortDriver } from './ports/port-driver.ts'
import type { QueueDropSink } from './queues/queue-manager.ts'
import { UrgentQueue } from './queues/urgent-queue.ts'
import { LinkScheduler, type LinkSchedulerOptions } from './scheduler/link-scheduler.ts'
import { ETHERNET_HEADER_BYTES, IPV4_MIN_MTU } from './wire/index.ts'

export interface PortConfig {
  /** 1..64 printable characters, no space, no `/`. */
  readonly name: string
  readonly driver: PortDriver
  /** IP MTU in bytes, at most what the driver carries. Default: that. */
  readonly mtu?: number
  readonly scheduler?: Pick<LinkSchedulerOptions, 'limitClasses' | 'limitPackets' | 'codel' | 'defaultClass'>
}

const NAME = /^[\x21-\x2e\x30-\x7e]{1,64}$/

/**
 * The port of a driver.
 * @param onDrop takes packets that its queues drop after they accepted them
 * @throws EngineError `invalid`
 */
export function createPort(config: PortConfig, index: number, slab: PacketSlab, onDrop: QueueDropSink): Port {
  const { name, driver, scheduler } = config
  const most = Math.min(driver.capabilities.maxFrameBytes, slab.room) - ETHERNET_HEADER_BYTES
  const { mtu = driver.capabilities.maxFrameBytes - ETHERNET_HEADER_BYTES } = config
  if (!NAME.test(name))
    throw new EngineError('invalid', `${JSON.stringify(name)} is not a port's name`, 'name')
  if (!Number.isInteger(mtu) || mtu < IPV4_MIN_MTU || mtu > most)
    throw new EngineError('invalid', `expected an MTU of ${IPV4_MIN_MTU}..${most} bytes, got ${mtu}`, 'mtu')
  return {
    index,
    name,
    driver,
    macHalfs: new Uint16Array(Uint8Array.from(driver.mac).buffer),
    addresses: [],
    mtu,
    up: driver.up,
    scheduler: new LinkScheduler({ ...scheduler, slab, onDrop }),
    urgent: new UrgentQueue(slab),
  }
}
