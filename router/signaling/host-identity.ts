/**
 * Who a host is and what it may speak for. The one idea: an introduction is believed in one place, by its certificates
 * at the calendar time of the moment, and judged again while the session lasts.
 */
import {
  type MessageOf,
  type ParsedMessage,
  type Refusal,
  SIGNALING_PROTOCOL,
} from '../../engine/signaling/message.ts'
import { formatIpv4Address, type Ipv4Prefix } from '../../engine/wire/index.ts'
import {
  Certificate,
  CertificateError,
  type TrustStore,
  verifyCertificate,
  verifyMessage,
} from '../../execution-env/certificates/index.ts'
import { PrefixSet } from '../../execution-env/contract/index.ts'

/** A host that was believed. */
export interface HostIdentity {
  /** Common name of its certificate. */
  readonly host: string
  /** Its own first, then those it presented. */
  readonly certificates: readonly Certificate[]
  /** What it serves, within its grant: as it said it, and as a set. */
  readonly virtualHosts: readonly string[]
  readonly served: PrefixSet
}

export type Judgement =
  | { readonly ok: true; readonly identity: HostIdentity }
  | { readonly ok: false; readonly refusal: Refusal; readonly reason: string }

/** Judges the introduction of a host. Costs up to five verifications of signatures. */
export function judgeIntroduction(
  parsed: ParsedMessage,
  message: MessageOf<'introduction'>,
  trust: TrustStore,
  atMs: number,
): Judgement {
  let certificates: Certificate[]
  try {
    certificates = message.certificates.map((der) => new Certificate(der))
    const { grant } = verifyCertificate(certificates, trust, { usage: 'host', atMs })
    const [own] = certificates
    if (!verifyMessage(own!, SIGNALING_PROTOCOL, parsed.signed, parsed.signature))
      return { ok: false, refusal: 'certificate', reason: 'not signed with the key of the certificate' }
    const granted = PrefixSet.parse(grant.virtualHosts ?? [])
    const beyond = message.virtualHosts.find((each) => !granted.covers(each))
    if (beyond !== undefined)
      return { ok: false, refusal: 'beyond-grant', reason: `${prefixText(beyond)} is not granted` }
    const virtualHosts = message.virtualHosts.map(prefixText)
    const served = new PrefixSet(message.virtualHosts)
    return { ok: true, identity: { host: own!.commonName, certificates, virtualHosts, served } }
  } catch (error) {
    if (error instanceof CertificateError) return { ok: false, refusal: 'certificate', reason: error.message }
    throw error
  }
}

/** Whether a host that was believed still is. */
export function isStillBelieved({ certificates }: HostIdentity, trust: TrustStore, atMs: number): boolean {
  try {
    verifyCertificate(certificates, trust, { usage: 'host', atMs })
    return true
  } catch (error) {
    if (error instanceof CertificateError) return false
    throw error
  }
}

export const prefixText = ({ address, length }: Ipv4Prefix): string =>
  `${formatIpv4Address(address)}/${length}`
