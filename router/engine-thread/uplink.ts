/**
 * The device by which a machine reaches everything else. The one idea: a router that takes it cuts off whoever started
 * it from afar, so it is only taken when the configuration says so.
 */
import { readFileSync } from 'node:fs'
import { LinuxError } from '../../engine/ports/linux/index.ts'

/** One line a route: device, destination, gateway, flags ... (proc_net of the kernel), addresses in hexadecimal. */
const ROUTES = '/proc/net/route'
const EVERYTHING = '00000000'

/** @throws LinuxError `busy` when a default route of the machine leads by the device */
export function refuseUplink(device: string, routes: string = read()): void {
  const leads = routes.split('\n').some((line) => {
    const [name, destination, , , , , , mask] = line.split('\t').map((each) => each.trim())
    return name === device && destination === EVERYTHING && mask === EVERYTHING
  })
  if (leads)
    throw new LinuxError(
      'busy',
      `taking ${device}`,
      "the machine's default route leads by it; a port takes its device away from the machine: set takeUplink: true if that is meant",
    )
}

function read(): string {
  try {
    return readFileSync(ROUTES, 'latin1')
  } catch {
    // No IPv4 here, and nobody to cut off by it.
    return ''
  }
}
