/**
 * The layout of frames that the stack makes. The one idea: one allocation a frame; every layer writes behind the
 * room that the layers below it need, and the frame is given away when it is sent.
 */
import { ETHERNET_HEADER_BYTES, IPV4_HEADER_BYTES } from '../../engine/wire/index.ts'

/** Where the IP header of a made frame begins. */
export const FRAME_NETWORK = ETHERNET_HEADER_BYTES
/** Where the transport header begins, without IP options. */
export const FRAME_TRANSPORT = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES
