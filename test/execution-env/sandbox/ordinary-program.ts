/** A router's process that opens a sandbox and tells what confines it. Started by ordinary-user.test.ts. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { codeOf, loaded, openSandbox, resultOf } from './rig.ts'

const limits = { bootMs: 60_000, deadlineMs: 60_000 }
const { sandbox } = openSandbox({ limits })
await loaded(sandbox, 'a', codeOf('return argument + 1'))
const sum = await resultOf(sandbox, 'a', 'run', 1)
const { pid, confinement } = sandbox.stats()
const status = readFileSync(`/proc/${pid}/status`, 'utf8')
await sandbox.close()

const program = fileURLToPath(new URL('../../adversarial/evil-sandbox.ts', import.meta.url))
const { sandbox: evil } = openSandbox({ limits, program })
await loaded(evil, 'a', codeOf(''))
const allowed = await resultOf(evil, 'a', 'probe')
await evil.close()
process.stdout.write(JSON.stringify({ sum, confinement, status, allowed }))
