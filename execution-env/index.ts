/** The door of the execution environment: what a router or a lab puts together. */
export { TrustVerifier } from './bundle-verifier.ts'
export { Dispatcher, type DispatcherOptions } from './dispatch/dispatcher.ts'
export { MODELLED, type Timing } from './dispatch/timing.ts'
export {
  type DryRun,
  EnvironmentManager,
  type EnvironmentManagerOptions,
  type EnvironmentReport,
} from './environment-manager.ts'
export { EnvironmentError, type EnvironmentFailure } from './errors.ts'
export {
  type AuthenticBundle,
  type BundleVerifier,
  type InstallOptions,
  vetBundle,
} from './installation.ts'
export type { Done, Outcome } from './outcome.ts'
export {
  CertificateAuthorityProxy,
  type CertificateSources,
  certificateRecord,
} from './proxies/certificate-authority-proxy.ts'
export { HttpProxy, type HttpProxyOptions } from './proxies/http-proxy.ts'
export { KeyService, type KeySources } from './proxies/key-service.ts'
export {
  combineServices,
  type FetchRequest,
  NO_SERVICES,
  type PluginServices,
  type ServiceDone,
  type ServiceRequest,
  serviceFailure,
} from './proxies/plugin-services.ts'
export { proxiedServices } from './proxies/proxied-services.ts'
export { type Sandboxes, SandboxPool } from './sandbox-pool.ts'
