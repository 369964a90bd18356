/** `pronto showcase`, which is what `npm start` runs: a simulated network to look at, and what to type next. */
import { join } from 'node:path'
import {
  formatCount,
  formatMilliseconds,
  keepLabUp,
  loadLabFile,
  type Measurements,
  type Paint,
} from '../../lab/index.ts'
import { type Call, type Command, DONE, type ExitCode } from '../command.ts'
import { packageRoot } from '../package-root.ts'
import { tellingLabFailures } from './lab-failures.ts'

const PICTURE = [
  '   c1 ──5 ms──┐             ┌── s1   10.0.2.2',
  '              ├── r1 ═══════╪══ s2   10.0.3.2     ═══ IP-in-IP tunnels there,',
  '   c2 ─30 ms──┘             └── s3   10.0.4.2     plain answers back from 198.18.0.80',
]

const STORY = [
  'A plugin of seventy lines, examples/round-robin, takes the servers in turn, s1 twice as often. It was',
  'built just now, signed by the lab, and runs in a sandbox process of its own; it is asked once for each',
  'connection, which then stays where it began. The servers answer the clients directly.',
]

const NEXT = [
  'Type next, in another terminal:',
  '  npx pronto list                                   the plugin that decides; flows, logs, stats, explain',
  '  npx pronto unload round-robin                     and see what becomes of the requests',
  '  npx pronto lab run examples/round-robin.yaml      the same to its end, the plugin upgraded on the way',
  '  npx pronto lab run examples/bad-weather.yaml --pcap captures    loss, a cut cable, a dead server',
  '  README.md, "A policy in TypeScript"               change it, sign it, load it into this router',
  '  npx pronto lab graph examples/showcase.yaml       this network as a drawing',
  '  npx pronto help                                   everything else',
]

export const showcase: Command = {
  words: ['showcase'],
  summary: 'Show a router at work in a simulated network until Ctrl-C',
  parameters: [],
  options: {
    trust: {
      value: 'T',
      describes: 'whose plugins it takes besides its own: a folder with ca.crt and crl.pem',
    },
  },
  run: (call) => tellingLabFailures(() => show(call)),
}

async function show(call: Call): Promise<ExitCode> {
  const { terminal, json } = call
  const paint = terminal.paint
  const signal = call.stop.claim()
  const backend = await call.backends.open('sim')
  const labFile = loadLabFile(join(packageRoot(), 'examples', 'showcase.yaml'))
  if (!json) {
    terminal.print(paint.bold('pronto: two clients, one service, three servers'), '', ...PICTURE, '')
    terminal.print(...STORY, '', ...NEXT, '', 'Ctrl-C ends it.', '')
  }
  const report = await keepLabUp(labFile, backend, {
    signal,
    trust: call.option('trust'),
    clock: call.clock,
    onSnapshot: (measured) =>
      terminal.print(
        json ? JSON.stringify({ event: 'snapshot', ...measured }) : snapshotLine(measured, paint),
      ),
  })
  if (json) terminal.print(JSON.stringify({ event: 'end', ...report }))
  else
    terminal.print(
      '',
      `ended after ${report.virtualSeconds.toFixed(1)} s; every packet of r1 accounted for: ${report.conservation}`,
    )
  return DONE
}

/** One line a second: what the clients got, from whom, and what the router did. */
function snapshotLine(measured: Measurements, paint: Paint): string {
  const clients = Object.values(measured.clients).flat()
  const sum = (pick: (client: (typeof clients)[number]) => number) =>
    clients.reduce((total, each) => total + pick(each), 0)
  const servers = ['s1', 's2', 's3'].map(
    (name) => `${name} ${formatCount(sum((each) => each.servers[name] ?? 0))}`,
  )
  const failed = sum((each) => each.failed)
  const router = measured.routers['r1']!
  const decisions = router.plugins.reduce((total, each) => total + each.decisions, 0)
  const drops = Object.values(router.packets.dropped).reduce((total, count) => total + count, 0)
  const seconds = `${Math.round(measured.virtualSeconds)} s`.padStart(6)
  const fault = (count: number, text: string) => (count === 0 ? text : paint.bad(text))
  return [
    paint.dim(seconds),
    `${formatCount(sum((each) => each.completed))} requests answered (${servers.join(', ')})`,
    fault(failed, `${failed} failed`),
    `median ${formatMilliseconds(clients[0]!.latencyMs.p50)}`,
    `r1: ${formatCount(router.packets.in)} packets, ${formatCount(decisions)} decisions, ${fault(drops, `${drops} dropped`)}`,
  ].join('  ')
}
