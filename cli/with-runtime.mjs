#!/usr/bin/env node
/**
 * Runs a script of this clone with the pinned runtime, whatever Node npm runs on: `with-runtime.mjs [FLAGS] FILE ...`.
 */
import { spawnSync } from 'node:child_process'
import { constants } from 'node:os'
import { fail, findRuntime, RUNTIME_FLAGS } from './runtime.mjs'

// A Ctrl-C reaches both; the script's own answer to it decides the exit code.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
const run = spawnSync(findRuntime(), [...RUNTIME_FLAGS, ...process.argv.slice(2)], { stdio: 'inherit' })
if (run.error !== undefined) fail(`cannot start the pinned runtime: ${run.error.message}`)
process.exitCode = run.status ?? 128 + (constants.signals[run.signal ?? 'SIGKILL'] ?? 0)
