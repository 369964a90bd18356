/** `pronto plugin test`: the tests of a plugin's folder, in the runtime that routers run on. */
import { debugTests, findTests, readPluginFolder, runTests } from '../../sdk/tools.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, FAILED, UsageError } from '../command.ts'
import { tellingRefusals } from './refusals.ts'
import { resultLines, totalLine } from './test-lines.ts'

export const pluginTest: Command = {
  words: ['plugin', 'test'],
  summary: "Run a plugin's tests, *.test.ts, on a router in virtual time",
  parameters: [{ name: 'FOLDER', describes: 'with pronto.json; default: this folder', optional: true }],
  options: {
    inspect: { describes: 'wait for a debugger, then run the tests under it' },
  },
  run: (call) => tellingRefusals(() => test(call)),
}

async function test(call: Call): Promise<ExitCode> {
  const { terminal, json } = call
  const [folder = '.'] = call.arguments
  if (json && call.flag('inspect')) throw new UsageError('expected --inspect or --json, not both')
  readPluginFolder(folder)
  const files = findTests(folder)
  if (files.length === 0)
    throw new CommandError('missing', `${folder}: no tests, expected a file such as plugin.test.ts`)
  const signal = call.stop.claim()
  if (call.flag('inspect')) return (await debugTests({ folder, files, signal })) === 0 ? DONE : FAILED
  const paint = terminal.paint
  const run = await runTests({
    folder,
    files,
    signal,
    onResult: (result) => (json ? undefined : terminal.print(...resultLines(result, paint))),
    onOutput: (text) => terminal.tellRaw(text),
  })
  signal.throwIfAborted()
  if (json) terminal.printJson(run)
  else terminal.print('', totalLine(run, paint))
  return run.failed === 0 ? DONE : FAILED
}
