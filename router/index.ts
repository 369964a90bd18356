/** The door of the router: what a process, or a laboratory, puts together. */
export {
  configSchema,
  type Fallback,
  type LocalControl,
  loadRouterConfig,
  type PluginDeclaration,
  type PortSpec,
  parseRouterConfig,
  type RemoteControl,
  type RouterConfig,
} from './config/index.ts'
export type { ConfigurationText } from './configurator.ts'
export { ControlError, controlErrorOf } from './control/errors.ts'
export { listRouters, makeRouterFolder, runtimeFolder } from './control/runtime-folder.ts'
export { ControlServer, type ControlServerOptions } from './control-server/server.ts'
export { type EngineAccess, LocalEngine } from './engine-access.ts'
export { ManagedPlugins, type ManagedPluginsOptions, trustVerifier } from './plugins/managed-plugins.ts'
export type { PluginHost, PluginLogLine, PluginReport, PluginSettings } from './plugins/plugin-host.ts'
export { Router, type RouterOptions } from './router.ts'
export { RouterProcess, type RouterProcessOptions } from './router-process.ts'
export { AuditLog } from './state/audit-log.ts'
export { StateError } from './state/errors.ts'
export { Registry } from './state/registry.ts'
export { Trust } from './trust.ts'
