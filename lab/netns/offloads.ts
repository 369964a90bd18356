/**
 * Devices of a lab without offloads. Virtual Ethernet hands on checksums that are only half made and frames of 64 kB,
 * for the receiver's kernel to finish; whoever reads or sends frames raw would see and pass on garbage.
 */
import { disableOffloads, inNamespace } from '../../engine/ports/linux/index.ts'

/** Turns all offloads of devices in a namespace off. @throws LinuxError */
export function disableAllOffloads(namespace: string, devices: readonly string[]): void {
  inNamespace(namespace, () => {
    for (const device of devices) disableOffloads(device)
  })
}
