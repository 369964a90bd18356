/** Numbers of the IP protocol field (IANA) that this project speaks or recognises. */
export const PROTOCOL_ICMP = 1
export const PROTOCOL_IGMP = 2
export const PROTOCOL_IP_IN_IP = 4
export const PROTOCOL_TCP = 6
export const PROTOCOL_UDP = 17
export const PROTOCOL_RSVP = 46
export const PROTOCOL_VRRP = 112
export const PROTOCOL_MPLS_IN_IP = 137
