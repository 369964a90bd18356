/**
 * The only door of the engine. What stands here is what other rooms may build on; wire formats, the start-time
 * fair algorithm and the Linux ports have doors of their own.
 */
export type * from './actions/action.ts'
export type { EngineOptions } from './assembly.ts'
export type { AddressMatch, Filter, PortMatch, ProtocolMatch } from './classifier/filter.ts'
export { type CompiledFilter, compileFilter } from './classifier/filter.ts'
export { specificity } from './classifier/filter-store.ts'
export { FLOW_ENDS, type FlowEnd } from './classifier/flow-table.ts'
export * from './clock.ts'
export type * from './control.ts'
export { ANSWER_ELSEWHERE, ANSWER_LATE, ANSWER_PINNED, ANSWER_UNPINNED } from './control.ts'
export { isConserved, type PacketBalance } from './counters.ts'
export type { PortConfig } from './create-port.ts'
export * from './drop-reason.ts'
export { Engine } from './engine.ts'
export * from './errors.ts'
export { type Explanation, explainFlow } from './explain/explain.ts'
export type { FlowQuestion } from './explain/question.ts'
export type { ExplanationStep } from './explain/step.ts'
export { type IncomingDatagram, readDatagram } from './incoming-datagram.ts'
export type { LocalService } from './local.ts'
export type { OutgoingDatagram } from './originator.ts'
export type { FlowEndSink, OwnedFlow } from './owned-flows.ts'
export { ROUTER_OWNER } from './owners.ts'
export * from './packet.ts'
export type { Port, PortAddress } from './port.ts'
export { CaptureWriter } from './ports/capture-writer.ts'
export { FaultInjector } from './ports/fault-injector.ts'
export { dropComment, type FrameSink } from './ports/frame-sink.ts'
export * from './ports/impairment.ts'
export { type FrameOutlet, MemoryPort, type MemoryPortOptions, memoryLink } from './ports/memory-link.ts'
export type { PortCapabilities, PortCounters, PortDriver } from './ports/port-driver.ts'
export { Tracer } from './ports/tracer.ts'
export {
  type Answer,
  type Query,
  QueryEngine,
} from './query/query-engine.ts'
export type { SignalingView } from './query/signaling-view.ts'
export { type Cell, type Row, TABLE_NAMES, type TableName } from './query/tables.ts'
export {
  QUESTION,
  QUESTION_FRAGMENT,
  QUESTION_MULTICAST,
  QUESTION_PAYLOAD_LIMIT,
  QUESTION_SYN,
  QUESTION_WORDS,
} from './questions.ts'
export { Random } from './random.ts'
export { ResourceManager, type ResourceReport, type ResourceShare } from './resources/resource-manager.ts'
export type { RouteRow } from './routing/route-table.ts'
export { TokenBucket } from './scheduler/token-bucket.ts'
export type { DropSink } from './stages.ts'
export type { TunnelRequest } from './tunnels/tunnel.ts'
export type { UpcallView } from './upcall.ts'
