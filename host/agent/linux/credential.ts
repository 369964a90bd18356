/** The certificate that a host shows to routers, and what can be known of it before they judge it. */
import {
  type Credential,
  excessOfGrant,
  loadCredential,
  loadTrustStore,
  verifyCertificate,
} from '../../../execution-env/certificates/index.ts'
import type { HostConfig } from './config.ts'
import { HostError } from './errors.ts'

/**
 * Reads certificate and key; undefined where no router is told anything. With `trust` also checks whether a router that
 * trusts the same would take the certificate.
 * @throws CertificateError; HostError `invalid` when it does not grant all virtual hosts
 */
export function readHostCredential({ identity, virtualHosts }: HostConfig): Credential | undefined {
  if (identity === undefined) return undefined
  const credential = loadCredential(identity.certificate, identity.key)
  const { certificate, chain } = credential
  if (identity.trust !== undefined)
    verifyCertificate([certificate, ...chain], loadTrustStore(identity.trust), {
      usage: 'host',
      atMs: Date.now(),
    })
  const [excess] = excessOfGrant({ virtualHosts: virtualHosts.map((each) => each.text) }, certificate.grant)
  if (excess !== undefined)
    throw new HostError(
      'invalid',
      `${identity.certificate}: the certificate does not grant ${excess.requested}, which this host serves`,
    )
  return credential
}
