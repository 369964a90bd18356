/**
 * Independent oracles for tests: tools that decode or check what we emit. A test that needs one skips with a
 * stated reason where it is missing, and fails where PRONTO_REQUIRE_LAB=1 makes it mandatory (CI).
 */
import { spawnSync } from 'node:child_process'
import type { Context } from 'mocha'

const found = new Map<string, boolean>()

/** Skips the test with a reason unless `tool` can be run; throws instead when the lab is mandatory. */
export function requireTool(context: Context, tool: string, args: readonly string[] = ['--version']): void {
  const key = [tool, ...args].join(' ')
  let present = found.get(key)
  if (present === undefined) {
    const probe = spawnSync(tool, [...args], { stdio: 'ignore', timeout: 15_000 })
    present = probe.error === undefined && probe.status === 0
    found.set(key, present)
  }
  if (!present) requireLab(context, `${tool} is not installed`)
}

/** Skips with `reason`, or throws where the lab is mandatory. */
export function requireLab(context: Context, reason: string): never {
  if (process.env['PRONTO_REQUIRE_LAB'] === '1') throw new Error(`PRONTO_REQUIRE_LAB=1, but ${reason}`)
  if (context.test !== undefined) context.test.title += ` [skipped: ${reason}]`
  context.skip()
}

/** Runs a tool to its end and returns its standard output. Throws with its standard error when it fails. */
export function runTool(tool: string, args: readonly string[], input?: string | Uint8Array): string {
  const run = spawnSync(tool, [...args], {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 64 << 20,
    ...(input === undefined ? {} : { input }),
  })
  if (run.error !== undefined) throw run.error
  if (run.status !== 0) throw new Error(`${tool} ended with ${run.status}: ${run.stderr.slice(0, 2000)}`)
  return run.stdout
}
