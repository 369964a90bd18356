/** Numbers of the pcapng format that its writer and its reader share. */
export const SECTION_HEADER_BLOCK = 0x0a0d0d0a
export const INTERFACE_BLOCK = 1
export const SIMPLE_PACKET_BLOCK = 3
export const ENHANCED_PACKET_BLOCK = 6
export const BYTE_ORDER_MAGIC = 0x1a2b3c4d

/** Type and total length before a block's body, the total length again behind it. */
export const BLOCK_OVERHEAD_BYTES = 12

export const OPTION_END = 0
export const OPTION_COMMENT = 1
export const OPTION_APPLICATION = 4
export const OPTION_INTERFACE_NAME = 2
export const OPTION_TIME_RESOLUTION = 9
export const OPTION_TIME_OFFSET = 14
export const OPTION_PACKET_FLAGS = 2

/** Time resolution when an interface has no such option: microseconds. */
export const DEFAULT_RESOLUTION = 6

export const FLAGS_DIRECTION = 3
export const FLAGS_INBOUND = 1
export const FLAGS_OUTBOUND = 2
