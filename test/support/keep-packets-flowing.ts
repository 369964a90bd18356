/** Packets that flow through whole suites of tests: see flowing-traffic.ts. */
import { after, afterEach, before, beforeEach } from 'mocha'
import type { ProcessSandboxOptions } from '../../execution-env/sandbox/index.ts'
import { FlowingTraffic } from './flowing-traffic.ts'

let shared: Promise<FlowingTraffic> | undefined
after(async () => (await shared)?.close())

/**
 * Lets packets flow through every test of the surrounding suite, and judges them after each.
 * @param attackerSandbox for suites whose attackers are plugins of this router; others share one router
 * @returns the traffic, once the suite has begun
 */
export function keepPacketsFlowing(attackerSandbox?: Partial<ProcessSandboxOptions>): () => FlowingTraffic {
  let traffic: FlowingTraffic
  before(async () => {
    traffic = await (attackerSandbox === undefined
      ? (shared ??= FlowingTraffic.open())
      : FlowingTraffic.open(attackerSandbox))
  })
  beforeEach(() => traffic.begin())
  afterEach(async () => {
    await traffic.during(() => {})
    await traffic.expectUnharmed()
  })
  after(async () => {
    if (attackerSandbox !== undefined) await traffic.close()
  })
  return () => traffic
}
