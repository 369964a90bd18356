/**
 * The author's kit (`pronto-router/sdk`): what a plugin imports. The one idea: types, and one function that does
 * nothing, so that a plugin carries no code of ours but the policies it chooses (`pronto-router/sdk/policies`).
 * Building, signing and verifying are tools.ts.
 */
export type {
  Action,
  AddressMatch,
  CertificateRecord,
  Claim,
  ClaimOptions,
  ClassChange,
  ClassOptions,
  Decision,
  Duration,
  ExportedState,
  Fallback,
  Filter,
  Flow,
  FlowEnd,
  FlowInfo,
  FlowKey,
  Hooks,
  HttpResponse,
  Log,
  PluginDefinition,
  Router,
  RouteView,
  Sender,
  ServiceErrorCode,
  ServiceFailure,
  SignatureRecord,
  Subscription,
  TrafficClass,
  Tunnel,
  TunnelOptions,
  VerdictRecord,
} from '../execution-env/contract/api/index.ts'
export type { JsonSchema, JsonValue } from '../execution-env/contract/index.ts'
export { definePlugin } from './define-plugin.ts'
