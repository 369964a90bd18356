/** The sandboxes that there are. */
import { InProcessSandbox } from '../../execution-env/sandbox/in-process.ts'
import { ProcessSandbox } from '../../execution-env/sandbox/process-sandbox.ts'
import { describeSandbox } from './sandbox.ts'

// These tests are about replies: on a busy machine no limit may end them.
const limits = { bootMs: 60_000, deadlineMs: 60_000, graceMs: 60_000 }

describeSandbox('in process', { open: () => new InProcessSandbox() })
describeSandbox('process, blocking', { open: () => new ProcessSandbox({ blocking: true, limits }) })
describeSandbox('process, polled', { open: () => new ProcessSandbox({ blocking: false, limits }) })
