/** The plugin slr, built, on a router in virtual time, with hosts and operators that speak to it. */
import { join } from 'node:path'
import { expect } from 'chai'
import { readBundle } from '../../../execution-env/bundle/index.ts'
import type { JsonValue } from '../../../execution-env/contract/index.ts'
import type { CallResult } from '../../../execution-env/dispatch/mailbox.ts'
import { buildPlugin } from '../../../sdk/tools.ts'
import { bundle as bundleBytes, Rig, type TestBundle, tunnelTo } from '../../execution-env/rig.ts'
import { ROOT } from '../../sdk/kit.ts'
import { TCP_SYN, tcp } from '../../support/packets.ts'

export const SERVICE = '198.18.0.0/15'
export const [S1, S2, S3] = ['10.0.2.11', '10.0.2.12', '10.0.2.13'] as const

export type Json = Record<string, unknown>

let built: Promise<TestBundle> | undefined

/** The plugin as it is built from its folder, once for all tests. */
export async function slrBundle(): Promise<TestBundle> {
  built ??= buildPlugin(join(ROOT, 'plugins', 'slr')).then(({ bytes }) => {
    const { manifest, code } = readBundle(bytes)
    const { name, version, capabilities, limits, configSchema } = manifest
    return {
      name,
      version,
      capabilities,
      limits: limits ?? {},
      module: code,
      configSchema: configSchema as never,
    }
  })
  return await built
}

export interface ServerView {
  readonly address: string
  readonly presence: string
  readonly state: string
  readonly open: number
  readonly routing: number | null
  readonly services: { prefix: string; load: number; begun: number }[]
}

/** A site router. */
export class Site {
  readonly rig = new Rig()
  readonly #bundle: TestBundle
  #port = 1_000

  constructor(bundle: TestBundle, config: Json) {
    this.#bundle = bundle
    const loaded = this.rig.load(bundle, { config: config as JsonValue })
    expect(loaded, JSON.stringify(loaded)).to.include({ ok: true })
    this.rig.advance(1e6)
  }

  /** A host says something with its own address. */
  says(address: string, topic: string, body: Json, from = address): CallResult {
    return this.#deliver(
      `host/${topic}`,
      { host: `h${address.split('.').at(-1)}`, address, ...body },
      {
        kind: 'neighbour',
        name: from,
      },
    )
  }

  hello(address: string, ...virtualHosts: string[]): void {
    this.says(address, 'hello', { virtualHosts: virtualHosts.length > 0 ? virtualHosts : [SERVICE] })
  }

  /** A host reports its load for the whole service, or for several subnets. */
  reports(address: string, loads: number | Record<string, number>, state = 'active'): void {
    const services = Object.entries(typeof loads === 'number' ? { [SERVICE]: loads } : loads)
    const body = { state, services: services.map(([prefix, load]) => ({ prefix, load })), connections: 0 }
    expect(this.says(address, 'state', body)).to.include({ ok: true })
  }

  gone(address: string, reason: string): void {
    this.says(address, 'gone', { reason })
  }

  /** What the plugin answers an operator. */
  call(topic: string, body: Json = {}): JsonValue {
    const result = this.#deliver(topic, body, { kind: 'operator', name: 'tester' })
    expect(result, JSON.stringify(result)).to.include({ ok: true })
    return (result as { value: JsonValue }).value
  }

  query(name: string): JsonValue {
    const { rig } = this
    const result = rig.wait<CallResult>((done) => rig.dispatcher.ask('slr', name, null, done))
    expect(result, JSON.stringify(result)).to.include({ ok: true })
    return (result as { value: JsonValue }).value
  }

  get servers(): ServerView[] {
    return this.query('servers') as unknown as ServerView[]
  }

  /** Where the first packets of so many new flows went. */
  places(count: number, to = '198.18.0.80', from = '10.0.1.2'): string[] {
    return Array.from({ length: count }, () => this.place(this.#port++, to, from))
  }

  /** Where a packet of a client's port goes. */
  place(fromPort: number, to = '198.18.0.80', from = '10.0.1.2'): string {
    this.send(tcp({ from, to, fromPort, toPort: 80, flags: TCP_SYN }))
    return this.last()
  }

  send(packet: Uint8Array): void {
    this.rig.router.take()
    this.rig.router.inject('in', packet)
    this.rig.advance(1e6)
  }

  /** Where the last packet went. */
  last(): string {
    const [packet] = this.rig.router.take('out')
    return packet === undefined ? 'nowhere' : tunnelTo(packet)
  }

  spread(count: number, to?: string, from?: string): Record<string, number> {
    return tally(this.places(count, to, from))
  }

  upgrade(config: Json, bundle = this.#bundle): void {
    const { rig } = this
    const options = { config: config as JsonValue }
    const outcome = rig.wait((done) =>
      rig.manager.upgrade('slr', bundleBytes(bundle), options, rig.now, done),
    )
    expect(outcome, JSON.stringify(outcome)).to.include({ ok: true })
  }

  log(): string[] {
    return this.rig.log('slr')
  }

  #deliver(topic: string, body: Json, from: { kind: 'neighbour' | 'operator'; name: string }): CallResult {
    const { rig } = this
    return rig.wait<CallResult>((done) =>
      rig.dispatcher.deliver('slr', topic, body as JsonValue, from, done, rig.now),
    )
  }
}

export function tally(places: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const each of places) counts[each] = (counts[each] ?? 0) + 1
  return counts
}
