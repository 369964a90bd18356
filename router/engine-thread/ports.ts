/** The ports of a configuration as drivers: the machine's devices, behind a faulty link where one is asked for. */
import { FaultInjector, Impairment, type PortDriver, type Random } from '../../engine/index.ts'
import { AfPacketPort, LinuxError, type PortProblem, TapPort } from '../../engine/ports/linux/index.ts'
import type { PortSpec } from '../config/index.ts'
import { DeviceClaim } from './device-claim.ts'
import { refuseUplink } from './uplink.ts'

/** A driver and what becomes readable when it has something. */
export interface OpenPort {
  readonly driver: PortDriver
  /** To be asked before each wait: -1 when the device was removed. */
  readonly descriptor: number
  /** Gives the device back. Idempotent. */
  close(): void
}

/**
 * @param say is told of each kind of trouble with the port once, in words
 * @throws LinuxError when the device is not there, or this process may not have it; EngineError `invalid`
 */
export function openPort(spec: PortSpec, random: Random, say: (problem: string) => void): OpenPort {
  const { name, device } = spec
  const options = { name, device, onProblem: ({ message }: PortProblem) => say(message) }
  if (spec.driver === 'tap') return opened(TapPort.open(options), spec, random, () => {})
  if (spec.takeUplink !== true) refuseUplink(device)
  const claim = new DeviceClaim(device)
  const onReturn = () => takeAgain(claim, (problem) => say(`${name}: ${problem}`))
  try {
    return opened(AfPacketPort.open({ ...options, onReturn }), spec, random, () => claim.close())
  } catch (error) {
    claim.close()
    throw error
  }
}

/** A device that is not the router's alone still carries frames: no reason to end. */
function takeAgain(claim: DeviceClaim, say: (problem: string) => void): void {
  try {
    claim.renew()
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error
    say(`${error.message}; the machine answers what comes in by it, too`)
  }
}

function opened(
  inner: AfPacketPort | TapPort,
  { name, impairment }: PortSpec,
  random: Random,
  giveBack: () => void,
): OpenPort {
  const open = (driver: PortDriver): OpenPort => ({
    driver,
    get descriptor() {
      return inner.descriptor
    },
    close: () => {
      inner.close()
      giveBack()
    },
  })
  if (impairment === undefined) return open(inner)
  try {
    const path = (direction: string) => new Impairment(impairment, random.fork(`${name} ${direction}`))
    return open(new FaultInjector(inner, { transmit: path('transmit'), receive: path('receive') }))
  } catch (error) {
    inner.close()
    throw error
  }
}
