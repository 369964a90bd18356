/**
 * The other side of a bare echo over pipes: a process set up like a sandbox's, which reads what is there and writes
 * it back. Started by sandbox.bench.ts.
 */
import { readSync, writeSync } from 'node:fs'
import { Heartbeat } from '../execution-env/sandbox/heartbeat.ts'
import { startWatchdog } from '../execution-env/sandbox/watchdog.ts'

await startWatchdog(new Heartbeat(), { memoryBytes: 1e12, graceMs: 1e6, parent: process.ppid, writeFd: 4 })
const bytes = new Uint8Array(1 << 17)
for (;;) {
  const count = readSync(3, bytes, 0, bytes.length, null)
  if (count === 0) process.kill(process.pid, 'SIGKILL')
  writeSync(4, bytes, 0, count)
}
