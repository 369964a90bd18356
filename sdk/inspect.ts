/**
 * What a bundle says about itself, and whether its code would be accepted. The one idea: nothing of it is believed;
 * the signer's name stands there as it was written, and `verify` is what judges.
 */
import { type Bundle, readBundle } from '../execution-env/bundle/index.ts'
import { CertificateError, readSignedData } from '../execution-env/certificates/index.ts'
import {
  describeCapabilities,
  type Limits,
  type Manifest,
  resolveLimits,
} from '../execution-env/contract/index.ts'
import { findProblems, formatPosition } from '../execution-env/sandbox/index.ts'

export interface Inspection {
  readonly manifest: Manifest
  /** What it asks for, a line per word, for people. */
  readonly capabilities: readonly string[]
  /** What it would be given where the operator has no ceiling. */
  readonly limits: Limits
  readonly digest: string
  readonly codeBytes: number
  readonly sourceMapBytes: number
  /** Why routers would refuse the code; empty when they accept it. */
  readonly problems: readonly string[]
  /** As it was written, not judged; absent while unsigned. */
  readonly signature?: ClaimedSignature
}

export interface ClaimedSignature {
  /** The signer as its certificate calls it, or why that cannot be read. */
  readonly signer: string
  readonly issuer?: string
  readonly serial?: string
  /** When the signer says it signed. */
  readonly claimedMs?: number
}

/** @param bytes attacker-controlled @throws BundleError for what is no bundle */
export function inspectPlugin(bytes: Uint8Array): Inspection {
  const bundle = readBundle(bytes)
  const { manifest, code, sourceMap, digest } = bundle
  const signature = claimedSignature(bundle)
  return {
    manifest,
    capabilities: describeCapabilities(manifest.capabilities),
    limits: resolveLimits(manifest.limits ?? {}),
    digest,
    codeBytes: Buffer.byteLength(code),
    sourceMapBytes: Buffer.byteLength(sourceMap),
    problems: findProblems(code, 'plugin.js', sourceMap).map(
      ({ position, reason }) => `${formatPosition(position)}: ${reason}`,
    ),
    ...(signature === undefined ? {} : { signature }),
  }
}

function claimedSignature(bundle: Bundle): ClaimedSignature | undefined {
  if (bundle.signature === undefined) return undefined
  try {
    const { certificates, claimedMs } = readSignedData(bundle.signature)
    const { subject, issuer, serial } = certificates[0]!
    return { signer: subject, issuer, serial, ...(claimedMs === undefined ? {} : { claimedMs }) }
  } catch (error) {
    if (error instanceof CertificateError) return { signer: `unreadable: ${error.message}` }
    throw error
  }
}
