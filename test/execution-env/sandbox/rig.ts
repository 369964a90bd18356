/** What the tests of the sandboxes share: a runtime, code, and waiting for replies. */
import { expect } from 'chai'
import type { JsonValue } from '../../../execution-env/contract/json.ts'
import type { Moment, Reply } from '../../../execution-env/sandbox/effects.ts'
import { ProcessSandbox, type ProcessSandboxOptions } from '../../../execution-env/sandbox/process-sandbox.ts'
import type { LoadOptions, LoadReport, Sandbox } from '../../../execution-env/sandbox/sandbox.ts'
import type { SandboxEvent } from '../../../execution-env/sandbox/sandbox-event.ts'
import { vet } from '../../../execution-env/sandbox/vetting.ts'

/** A module exports what is to be called, as functions of (host, argument), and batches. */
export const RUNTIME = `(host, exports) => ({
  calls: Object.fromEntries(Object.entries(exports.calls ?? {}).map(([name, run]) =>
    [name, (argument) => run(host, argument)])),
  batches: Object.fromEntries(Object.entries(exports.batches ?? {}).map(([name, run]) =>
    [name, (input, output, count) => run(host, input, output, count)])),
})`

export const AT: Moment = { now: 5_000_000_000, clock: 1_700_000_000_000 }

export const OPTIONS: LoadOptions = { runtime: RUNTIME, seed: [1, 2, 3, 4] }

/** Code of a module with one call `run(host, argument)`. */
export function codeOf(body: string): ReturnType<typeof vet> {
  return vet(`module.exports = { calls: { run(host, argument) { ${body} } } }`, 'plugin.js')
}

/** Drives a sandbox until nothing is outstanding. */
export async function settle(sandbox: Sandbox): Promise<void> {
  for (;;) {
    sandbox.poll(nowNs())
    const { outstanding, state } = sandbox.stats()
    if (outstanding === 0 && (state === 'serving' || state === 'closed')) break
    await new Promise((resolve) => setImmediate(resolve))
  }
  sandbox.poll(nowNs())
}

export async function load(
  sandbox: Sandbox,
  instance: string,
  code: ReturnType<typeof vet>,
  options: Partial<LoadOptions> = {},
): Promise<Reply<LoadReport>> {
  let reply: Reply<LoadReport> | undefined
  sandbox.load(instance, code, { ...OPTIONS, ...options }, AT, (given) => {
    reply = given
  })
  await settle(sandbox)
  expect(reply, 'a reply').not.to.equal(undefined)
  return reply!
}

/** Loads what has to succeed. */
export async function loaded(...parameters: Parameters<typeof load>): Promise<LoadReport> {
  const reply = await load(...parameters)
  if (!reply.ok) throw new Error(`${reply.failure.code}: ${reply.failure.message}`)
  return reply.value
}

export async function call(
  sandbox: Sandbox,
  instance: string,
  entry: string,
  argument: JsonValue = null,
): Promise<Reply<JsonValue>> {
  let reply: Reply<JsonValue> | undefined
  sandbox.call(instance, entry, argument, AT, (given) => {
    reply = given
  })
  await settle(sandbox)
  expect(reply, 'a reply').not.to.equal(undefined)
  return reply!
}

/** Calls what has to succeed. */
export async function resultOf(...parameters: Parameters<typeof call>): Promise<JsonValue> {
  const reply = await call(...parameters)
  if (!reply.ok) throw new Error(`${reply.failure.code}: ${reply.failure.message}`)
  return reply.value
}

/** The code of the failure of what has to fail. */
export function codeOfFailure(reply: Reply<unknown>): string {
  return reply.ok ? `no failure but ${JSON.stringify(reply.value)}` : reply.failure.code
}

/** A process sandbox that keeps its events. */
export function openSandbox(options: Partial<ProcessSandboxOptions> = {}): {
  readonly sandbox: ProcessSandbox
  readonly events: SandboxEvent[]
} {
  const events: SandboxEvent[] = []
  const sandbox = new ProcessSandbox({ blocking: true, onEvent: (event) => events.push(event), ...options })
  return { sandbox, events }
}

/** Whether a process exists; one that is dead and not reaped does not count. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Monotonic time. */
export const nowNs = (): number => Number(process.hrtime.bigint())

/** Waits until a condition holds; gives up when the test has long failed. */
export async function until(condition: () => boolean): Promise<void> {
  for (const began = nowNs(); !condition(); ) {
    if (nowNs() - began > 60e9) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
