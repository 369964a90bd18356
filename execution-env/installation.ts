/**
 * An installation: a version of a plugin that was authenticated, with what the operator says about it. The one idea:
 * everything that can be refused without running a line of the plugin is refused here.
 */

import type { Action } from '../engine/index.ts'
import {
  type Capabilities,
  checkConfig,
  formatProblem,
  formatViolation,
  intersect,
  type JsonValue,
  type Limits,
  type Manifest,
  resolveLimits,
  within,
} from './contract/index.ts'
import type { ProgramSettings } from './dispatch/program.ts'
import { EnvironmentError } from './errors.ts'
import { type VettedCode, vet } from './sandbox/index.ts'

/** A bundle that is believed: what the environment needs of it, plain data. */
export interface AuthenticBundle {
  readonly manifest: Manifest
  /** A CommonJS module's text. */
  readonly code: string
  readonly sourceMap: string
  /** Names the sources: hexadecimal. */
  readonly digest: string
  /** Names the signer; programs of one signer share a sandbox. */
  readonly signer: string
  /** What the signer was granted. */
  readonly grant: Capabilities
  readonly warnings: readonly string[]
  /** Its code, where it has been vetted already: vetting takes time that an engine does not have. */
  readonly vetted?: VettedCode
}

/** Decides whom to believe. */
export interface BundleVerifier {
  /**
   * @param bytes attacker-controlled
   * @param occasion `again` for what was accepted before and is only started anew
   * @throws an error that says why not
   */
  verify(bytes: Uint8Array, occasion: 'first' | 'again'): AuthenticBundle
}

/** What the operator says about an instance. */
export interface InstallOptions {
  /** Default: the plugin's name. */
  readonly id?: string
  /** Default: an empty object. */
  readonly config?: JsonValue
  /** Bounds what the manifest asks for. Default: no bound but the signer's grant. */
  readonly allow?: Capabilities
  /** Bounds the limits that the manifest asks for. */
  readonly limits?: Partial<Limits>
  /** Priority of its claims among those of others. Default 0. */
  readonly priority?: number
  /** What happens to new flows without a decision. Default `closed`. */
  readonly fallback?: 'open' | 'closed' | Action
  readonly cpu?: { readonly weight?: number; readonly guarantee?: number; readonly ceiling?: number }
  /** Most flows that it may hold. */
  readonly flows?: number
  readonly decisionsPerSecond?: number
  /** Runs unisolated in the router's own process. For code that the operator trusts like the router itself. */
  readonly trusted?: boolean
}

/** A version, ready to be loaded. */
export interface Installation {
  readonly bundle: AuthenticBundle
  readonly code: VettedCode
  readonly config: JsonValue
  readonly granted: Capabilities
  readonly limits: Limits
  readonly settings: ProgramSettings
  readonly trusted: boolean
  /** What all this follows from, beside the bundle. */
  readonly options: InstallOptions
}

const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** The instance's id. @throws EnvironmentError `invalid` */
export function instanceId(bundle: AuthenticBundle, options: InstallOptions): string {
  const { id = bundle.manifest.name } = options
  if (!ID.test(id) || id === 'router')
    throw new EnvironmentError(
      'invalid',
      `${JSON.stringify(id)} is not an id: letters, digits and ._- (1..64)`,
    )
  return id
}

/**
 * Judges a bundle that is believed: capabilities, configuration, code.
 * @throws EnvironmentError `forbidden`, `invalid`; SandboxError `refused` for code that is not accepted
 */
export function createInstallation(bundle: AuthenticBundle, options: InstallOptions): Installation {
  const { manifest, grant } = bundle
  const [excess] = within(manifest.capabilities, grant)
  if (excess !== undefined) throw new EnvironmentError('forbidden', formatViolation(excess))
  const checked = checkConfig(manifest.configSchema, options.config ?? {})
  if (!checked.ok)
    throw new EnvironmentError('invalid', `config: ${checked.problems.map(formatProblem).join('\n')}`)
  return {
    bundle,
    code: bundle.vetted ?? vetBundle(bundle),
    config: checked.config,
    granted: intersect(manifest.capabilities, options.allow ?? manifest.capabilities),
    limits: resolveLimits(manifest.limits ?? {}, options.limits),
    settings: settingsOf(options),
    trusted: options.trusted === true,
    options,
  }
}

/** Vets a bundle's code. @throws SandboxError `refused` for code that is not accepted */
export function vetBundle({ manifest, code, sourceMap }: AuthenticBundle): VettedCode {
  return vet(code, `${manifest.name}-${manifest.version}/plugin.js`, sourceMap)
}

const FALLBACKS: Readonly<Record<'open' | 'closed', Action>> = {
  open: { kind: 'forward' },
  closed: { kind: 'drop', reason: 'upcall-expired' },
}

function settingsOf(options: InstallOptions): ProgramSettings {
  const { priority = 0, fallback = 'closed', cpu = {} } = options
  const { decisionsPerSecond = Number.POSITIVE_INFINITY, flows = Number.POSITIVE_INFINITY } = options
  return {
    priority,
    fallback: typeof fallback === 'string' ? FALLBACKS[fallback] : fallback,
    cpu,
    decisionsPerSecond,
    flows,
  }
}
