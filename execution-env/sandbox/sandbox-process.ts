/**
 * The program of a sandbox process. The one idea: it trusts what comes from the router and nothing that comes from an
 * isolate, keeps nothing that matters, and may be killed at any moment.
 *
 * Its requests come on descriptor 3 and its answers go to descriptor 4; the end of the requests ends it.
 */
import { Heartbeat } from './heartbeat.ts'
import { startWatchdog } from './watchdog.ts'

/** What the process is told on its command line, as JSON. */
export interface SandboxProcessSettings {
  readonly memoryBytes: number
  readonly graceMs: number
  readonly parent: number
}

const READ_FD = 3
const WRITE_FD = 4

if (import.meta.main) {
  const settings = JSON.parse(process.argv[2] ?? '{}') as SandboxProcessSettings
  const heartbeat = new Heartbeat()
  const watching = startWatchdog(heartbeat, { ...settings, writeFd: WRITE_FD })
  // Loaded while the watchdog starts.
  const { RequestLoop } = await import('./request-loop.ts')
  await watching
  await new RequestLoop({ readFd: READ_FD, writeFd: WRITE_FD }, heartbeat).run()
}
