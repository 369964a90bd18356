/**
 * The openssl command as an oracle: the second opinion on certificates, lists and signatures.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Context } from 'mocha'
import { requireLab, requireTool, runTool } from '../../support/oracle.ts'

/** Skips unless the command is OpenSSL 3: others name errors differently and lack options. */
export function requireOpenssl(context: Context): void {
  requireTool(context, 'openssl', ['version'])
  const version = runTool('openssl', ['version']).trim()
  if (!version.startsWith('OpenSSL 3.')) requireLab(context, `openssl is ${version}, expected OpenSSL 3`)
}

/** What a run said on both outputs, and whether it succeeded. */
export function runOpenssl(args: readonly string[], folder: string): { ok: boolean; output: string } {
  const run = spawnSync('openssl', [...args], { cwd: folder, encoding: 'utf8', timeout: 20_000 })
  if (run.error !== undefined) throw run.error
  return { ok: run.status === 0, output: run.stdout + run.stderr }
}

/** Calls `work` with a new folder and removes it afterwards. */
export function inFolder<Result>(work: (folder: string) => Result): Result {
  const folder = mkdtempSync(join(tmpdir(), 'pronto-certificates-'))
  try {
    return work(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
