/** MAC addresses of a lab: locally administered, numbered by node and interface, the same in every run. */

/** @param node 0..65535 @param port 0..65535 */
export function labMac(node: number, port: number): Uint8Array {
  return Uint8Array.of(0x02, 0x00, node >> 8, node & 255, port >> 8, port & 255)
}
