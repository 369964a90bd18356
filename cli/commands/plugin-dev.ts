/** `pronto plugin dev`: every change of a plugin's folder built, checked, tested, and put on a running router. */
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type LabFile, loadLabFile } from '../../lab/index.ts'
import { ControlError } from '../../router/control-client/index.ts'
import { watchFolder } from '../../sdk/tools.ts'
import { type Call, type Command, CommandError, DONE, type ExitCode, UsageError } from '../command.ts'
import { LabPlace } from '../dev/lab-place.ts'
import { isRight, type Look, lookAt } from '../dev/look.ts'
import { DevLoop } from '../dev/loop.ts'
import { News } from '../dev/news.ts'
import type { Place } from '../dev/place.ts'
import { RouterPlace } from '../dev/router-place.ts'
import { SpreadMeter } from '../dev/spread.ts'
import { tellingLabFailures } from './lab-failures.ts'
import { pathOption } from './lab-options.ts'
import { tellingRefusals } from './refusals.ts'
import { fileOption } from './router-plugins.ts'

const ROUTER_WORDS = ['id', 'cert', 'key', 'config']

export const pluginDev: Command = {
  words: ['plugin', 'dev'],
  summary: 'Build, check and test a plugin at each change, and put it on a running router, until Ctrl-C',
  parameters: [{ name: 'FOLDER', describes: 'with pronto.json; default: this folder', optional: true }],
  options: {
    lab: { value: 'FILE', describes: 'a lab that has the plugin: brought up, shown and upgraded' },
    router: { value: 'NAME', describes: 'a router of this machine to be upgraded instead' },
    id: { value: 'ID', describes: "what it is called there; default the plugin's name" },
    cert: { value: 'C', describes: 'of a signer whom that router believes' },
    key: { value: 'K', describes: 'its private key' },
    config: { value: 'FILE', describes: 'its configuration there, YAML or JSON' },
  },
  run: (call) => tellingLabFailures(() => tellingRefusals(() => dev(call))),
}

async function dev(call: Call): Promise<ExitCode> {
  const [folder = '.'] = call.arguments
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new CommandError('unreadable', `${folder}: expected the folder of a plugin`)
  const news = new News(call.terminal, call.json)
  const place = await placeOf(call, folder, news)
  const stopped = call.stop.claim()
  const loop = new DevLoop({
    look: (signal) => lookAt(folder, signal, (text) => call.terminal.tellRaw(text)),
    settle: (look) => settle(look, place, news),
  })
  let unwatch = (): void => {}
  try {
    await new Promise<void>((end, reject) => {
      const again = (): void => void loop.changed().catch(reject)
      stopped.addEventListener('abort', () => end())
      if (stopped.aborted) return end()
      unwatch = watchFolder(folder, again, reject)
      again()
    })
  } finally {
    unwatch()
    await loop.end()
    await place?.close()
  }
  return DONE
}

/** Tells of a look, and puts what is right in its place. A refusal is told: the next change may mend it. */
async function settle(look: Look, place: Place | undefined, news: News): Promise<void> {
  news.look(look, place !== undefined)
  if (place === undefined || look.built === undefined || !isRight(look)) return
  try {
    news.placed(await place.put(look.built), look.built.manifest.version)
  } catch (error) {
    if (!(error instanceof ControlError)) throw error
    news.note(`  not put in its place: ${error.message}`)
  }
}

async function placeOf(call: Call, folder: string, news: News): Promise<Place | undefined> {
  const [lab, router] = [pathOption(call, 'lab'), call.option('router')]
  const words = ROUTER_WORDS.filter((each) => call.option(each) !== undefined)
  if (lab !== undefined && (router !== undefined || words.length > 0))
    throw new UsageError('expected --lab, or --router with --cert and --key, not both')
  if (lab !== undefined) return labPlace(call, folder, loadLabFile(call.option('lab')!), news)
  if (router === undefined && words.length === 0) return undefined
  const [certificate, key] = [call.option('cert'), call.option('key')]
  if (certificate === undefined || key === undefined)
    throw new UsageError('a router takes signed plugins: expected --cert C and --key K of a signer')
  return new RouterPlace({
    router,
    id: call.option('id'),
    signer: { certificate, key },
    config: fileOption(call, 'config'),
    onLogs: (name, lines) => news.logs(name, lines),
  })
}

async function labPlace(call: Call, folder: string, labFile: LabFile, news: News): Promise<Place> {
  const meter = new SpreadMeter()
  return new LabPlace({
    labFile,
    backend: await call.backends.open('sim'),
    folder: resolve(folder),
    clock: call.clock,
    onSnapshot: (measured) => news.spread(meter.take(measured)),
    onLogs: (router, lines) => news.logs(router, lines),
    onEnd: (reason) => news.note(`the lab has ended: ${reason}; the next change begins it again`),
  })
}
