/** The payload of a UDP datagram and its ends; addresses unsigned. */
export interface SignalingDatagram {
  readonly from: number
  readonly fromPort: number
  readonly to: number
  readonly toPort: number
  readonly payload: Uint8Array
}
