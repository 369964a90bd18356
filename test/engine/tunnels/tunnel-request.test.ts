import { expect } from 'chai'
import { describe, it } from 'mocha'
import { EngineError, type EngineErrorCode } from '../../../engine/errors.ts'
import { AddressSet } from '../../../engine/tunnels/address-set.ts'
import type { TunnelRequest } from '../../../engine/tunnels/tunnel.ts'
import { type CompiledTunnel, compileTunnel } from '../../../engine/tunnels/tunnel-request.ts'
import { KIND_IP_IN_IP, KIND_MAC_REWRITE } from '../../../engine/tunnels/tunnel-state.ts'
import { ip } from '../routing/datagrams.ts'
import { ENTRY, EXIT, OWN, resolver } from './tunnel-lab.ts'

const own = new AddressSet([ip(ENTRY), ip(OWN)])
const compile = (request: TunnelRequest): CompiledTunnel => compileTunnel(request, resolver, own, 'tunnel')

describe('compileTunnel (R-SLR-10)', () => {
  it('takes address and MTU of the port that leads to the exit', () =>
    expect(compile({ to: EXIT })).to.deep.equal({
      kind: KIND_IP_IN_IP,
      source: ip(ENTRY),
      destination: ip(EXIT),
      ttl: 64,
      mtuBytes: 1500,
    }))

  it('prefers what the request says', () =>
    expect(compile({ to: EXIT, from: OWN, ttl: 5, mtu: 1280 })).to.deep.equal({
      kind: KIND_IP_IN_IP,
      source: ip(OWN) | 0,
      destination: ip(EXIT),
      ttl: 5,
      mtuBytes: 1280,
    }))

  it('needs no route when nothing has to be learnt from one', () =>
    expect(compile({ to: '192.0.2.1', from: OWN, mtu: 1280 }).destination).to.equal(ip('192.0.2.1') | 0))

  it('compiles MAC rewrite to an exit on a connected network', () => {
    const { kind, destination } = compile({ to: EXIT, kind: 'mac-rewrite' })
    expect(kind).to.equal(KIND_MAC_REWRITE)
    expect(destination).to.equal(ip(EXIT))
  })

  const refusals: readonly [string, unknown, EngineErrorCode, string][] = [
    ['text that is no address', { to: 'server' }, 'invalid', 'tunnel.to'],
    ['no text at all', { to: 7 }, 'invalid', 'tunnel.to'],
    ['a group', { to: '239.1.1.1' }, 'invalid', 'tunnel.to'],
    ['a loopback address', { to: '127.0.0.1' }, 'invalid', 'tunnel.to'],
    ['the unspecified address', { to: '0.0.0.0' }, 'invalid', 'tunnel.to'],
    ['an address of this router as exit', { to: OWN }, 'invalid', 'tunnel.to'],
    ["a stranger's address as entry", { to: EXIT, from: '10.0.0.9' }, 'invalid', 'tunnel.from'],
    ['an exit without a route', { to: '192.0.2.1' }, 'unknown', 'tunnel.to'],
    ['TTL 0', { to: EXIT, ttl: 0 }, 'invalid', 'tunnel.ttl'],
    ['TTL 256', { to: EXIT, ttl: 256 }, 'invalid', 'tunnel.ttl'],
    ['an MTU below 88', { to: EXIT, mtu: 87 }, 'invalid', 'tunnel.mtu'],
    ['an MTU above 65535', { to: EXIT, mtu: 65_536 }, 'invalid', 'tunnel.mtu'],
    ['a kind that is not there', { to: EXIT, kind: 'gre' }, 'unsupported', 'tunnel.kind'],
    ['a TTL for MAC rewrite', { to: EXIT, kind: 'mac-rewrite', ttl: 9 }, 'unsupported', 'tunnel.ttl'],
    ['MAC rewrite without a route', { to: '192.0.2.1', kind: 'mac-rewrite' }, 'unknown', 'tunnel.to'],
  ]
  for (const [title, request, code, place] of refusals)
    it(`refuses ${title}`, () => {
      expect(() => compile(request as TunnelRequest))
        .to.throw(EngineError)
        .that.includes({ code, place })
    })

  it('refuses MAC rewrite to an exit behind another router', () => {
    const far = { reach: () => ({ source: ip(ENTRY), mtuBytes: 1500, connected: false }) }
    expect(() => compileTunnel({ to: EXIT, kind: 'mac-rewrite' }, far, own, 'tunnel'))
      .to.throw(EngineError)
      .that.includes({ code: 'invalid', place: 'tunnel.to' })
  })
})
