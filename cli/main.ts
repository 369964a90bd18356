/**
 * The process of the `pronto` command: connects the world (arguments, streams, signals) with the command table and
 * ends with its exit code. Started by launcher.mjs.
 */

import { backends } from '../lab/index.ts'
import { runCli } from './cli.ts'
import { commands } from './commands/index.ts'
import { watchStop } from './stop.ts'
import { Terminal } from './terminal.ts'

/** Exit code of a writer whose reader has gone, as shells count SIGPIPE. */
const BROKEN_PIPE = 141
/** How long something may still hold the process up after its command has ended. */
const LINGER_MS = 2_000

const stop = watchStop()
for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(BROKEN_PIPE)
    throw error
  })

const terminal = new Terminal(process.stdout, process.stderr, process.env)
const clock = () => performance.now()
process.exitCode = await runCli(process.argv.slice(2), commands, { terminal, stop, backends, clock })
setTimeout(() => process.exit(), LINGER_MS).unref()
