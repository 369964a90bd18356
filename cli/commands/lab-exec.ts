/** `pronto lab exec`: a command inside a node of a lab that is up, at the caller's terminal. */
import { BACKEND_NAMES } from '../../lab/index.ts'
import { type Call, type Command, CommandError, type ExitCode } from '../command.ts'
import { tellingLabFailures } from './lab-failures.ts'
import { backendName, FILE, loadLab } from './lab-options.ts'

export const labExec: Command = {
  words: ['lab', 'exec'],
  summary: 'Run a command inside a node of a lab of real hosts that is up; its exit code is passed on',
  parameters: [
    FILE,
    { name: 'NODE', describes: 'a host or router of the lab' },
    { name: 'COMMAND', describes: 'what to run: a program and its words, after --', many: true },
  ],
  options: {
    backend: {
      value: BACKEND_NAMES.join('|'),
      describes: 'what brought the lab to life; default netns, as simulated nodes run no programs',
    },
  },
  run: (call) => tellingLabFailures(() => execute(call)),
}

async function execute(call: Call): Promise<ExitCode> {
  const name = backendName(call, 'netns')
  const { lab } = loadLab(call)
  const [, node, ...command] = call.arguments
  const backend = await call.backends.open(name)
  if (backend.exec === undefined)
    throw new CommandError(
      'unsupported',
      `nodes of a lab on ${name} are simulated: no program can run inside`,
    )
  return await backend.exec(lab, node!, command, call.stop.claim())
}
