/** `pronto router run`: a router on real ports until a signal ends it. */
import { once } from 'node:events'
import { RouterProcess } from '../../router/index.ts'
import { type Command, CommandError, DONE } from '../command.ts'
import { ownVersion } from './about.ts'
import { tellingRefusals } from './refusals.ts'
import { asCommandError } from './router-options.ts'

export const routerRun: Command = {
  words: ['router', 'run'],
  summary: 'Run a router on the network devices of this machine until Ctrl-C or SIGTERM',
  parameters: [{ name: 'FILE', describes: 'its configuration (docs/control.md)' }],
  options: {
    state: { value: 'DIR', describes: 'what outlives it lies here, in place of the `state` of its file' },
  },
  run: (call) =>
    tellingRefusals(async () => {
      const signal = call.stop.claim()
      const [file] = call.arguments as [string]
      const { terminal } = call
      const start = RouterProcess.start({ file, version: ownVersion(), state: call.option('state') })
      const running = await start.catch((error: unknown) => {
        throw asCommandError(error)
      })
      const { router, folder } = running
      const { warnings } = router
      if (call.json)
        terminal.print(JSON.stringify({ event: 'up', router: router.name, control: folder, warnings }))
      else {
        terminal.print(`router ${router.name} is up; its sockets lie in ${folder}`)
        for (const each of warnings) terminal.tell(`warning: ${each}`)
      }
      try {
        if (!signal.aborted) await Promise.race([once(signal, 'abort'), running.fault])
      } catch (error) {
        throw new CommandError('failed', `the engine ended: ${(error as Error).message}`)
      } finally {
        await running.close()
      }
      if (call.json) terminal.print(JSON.stringify({ event: 'end', router: router.name }))
      else terminal.print(`router ${router.name} has ended`)
      return DONE
    }),
}
