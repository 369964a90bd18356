/**
 * A router that will be killed, or forgets to close its sandbox. Prints the sandbox's process id when it is idle, or
 * about to be busy for a long time.
 */
import { writeSync } from 'node:fs'
import { AT, codeOf, loaded, openSandbox } from './rig.ts'

const [, , how] = process.argv
const limits = { bootMs: 60_000, deadlineMs: 600_000, graceMs: 600_000 }
const { sandbox } = openSandbox({ limits })
await loaded(sandbox, 'a', codeOf('for (;;);'), { limits: { callMs: 600_000 } })
writeSync(1, String(sandbox.stats().pid))
if (how === 'busy') {
  sandbox.call('a', 'run', null, AT, () => {})
  sandbox.poll(0)
}
if (how === 'idle') setInterval(() => {}, 1_000)
