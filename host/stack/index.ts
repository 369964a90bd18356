/** The door of the host stack. */

export { type Attempt, Campaign, type CampaignOptions, type ClientReport } from './applications/campaign.ts'
export { DatagramClient, type DatagramClientOptions } from './applications/datagram-client.ts'
export { DatagramService, type DatagramServiceOptions } from './applications/datagram-service.ts'
export { HttpClient, type HttpClientOptions } from './applications/http-client.ts'
export { HttpService, type HttpServiceOptions, type HttpSession } from './applications/http-service.ts'
export { LineReader } from './applications/line-reader.ts'
export { matchesPattern, patternChunk } from './applications/pattern.ts'
export { PingClient, type PingClientOptions } from './applications/ping-client.ts'
export type { Sockets, StreamSocket } from './applications/sockets.ts'
export { StreamClient, type StreamClientOptions } from './applications/stream-client.ts'
export {
  StreamService,
  type StreamServiceOptions,
  type StreamSession,
} from './applications/stream-service.ts'
export type { NetworkDevice } from './attachment.ts'
export { HostCounters, type HostDrop } from './counters.ts'
export { StackError, type StackErrorCode } from './errors.ts'
export type { FilterMode } from './group-state.ts'
export { HostStack, type HostStackOptions, type RouteTarget, type StackTimer } from './host-stack.ts'
export type { JoinOptions } from './igmp.ts'
export type { Membership } from './igmp-device.ts'
export type { Datagram, Network, ProtocolHandler, QuotedPacket, SendOptions, SendResult } from './network.ts'
export type { PingRequest, PingResult } from './ping-table.ts'
export type { ConnectionEnds, RetransmitCause, StackEvent, StackLog } from './stack-event.ts'
export type { TcpConnection } from './tcp/connection.ts'
export type { CloseReason, ExperimentalOption, TcpCounters, TcpState } from './tcp/control-block.ts'
export type { StrayHandler } from './tcp/demultiplexer.ts'
export type { ConnectionState } from './tcp/export.ts'
export {
  ANY_ADDRESS,
  type ListenOptions,
  type SynAnswer,
  type SynNotice,
  type TcpListener,
} from './tcp/listener.ts'
export type { ConnectRequest } from './tcp/open-request.ts'
export { DEFAULT_SETTINGS, type TcpSettings } from './tcp/settings.ts'
export type { TcpLimits } from './tcp/tables.ts'
export type { TcpLayer } from './tcp/tcp.ts'
export { MILLISECOND, type Nanoseconds, NEVER, SECOND } from './time.ts'
export type { TunnelExitOptions } from './tunnel-exit.ts'
export type { UdpBinding, UdpBindOptions, UdpDatagram, UdpError, UdpLayer, UdpSend } from './udp.ts'
