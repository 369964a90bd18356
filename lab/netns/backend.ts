/**
 * The `netns` backend: labs of real hosts and routers in network namespaces of this machine. The one idea: everything
 * that is made stands in the ledger before it is made, so the end of a lab is the same whether it was reached, asked
 * for, or is made up for by `down`.
 */
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Backend, DownResult, RunOptions } from '../backend.ts'
import type { Lab } from '../file/index.ts'
import { LabBundles, pluginsOf } from '../lab-bundles.ts'
import type { Measurements } from '../report.ts'
import { CAPABILITIES, refusals } from './capabilities.ts'
import { LabCaptures } from './captures.ts'
import { hasUsableCurl } from './client-tool.ts'
import { takeDown } from './down.ts'
import { execInNode } from './exec.ts'
import { isOwned, Ledger, readLedger } from './ledger.ts'
import { LiveLab } from './live-lab.ts'
import { newLabId } from './names.ts'
import { LabNetwork } from './network.ts'
import { PatternFiles } from './pattern-files.ts'
import { removeAll } from './removal.ts'
import { lacks, requireNamespaces } from './requirements.ts'
import type { Surroundings } from './surroundings.ts'

const TURN_MS = 25
const SNAPSHOT_MS = 1000
/** How long the last questions may take at a lab's end, and where its user has had enough. */
const SETTLE_MS = 60_000
const HURRY_MS = 500
/** A little more than the interval at which a router's engine tells of its plugins. */
const PLUGIN_FIGURES_MS = 1_200

export const netnsBackend: Backend = {
  name: 'netns',
  capabilities: CAPABILITIES,
  lacks,
  refusals,
  run: (lab, options) => bringUp(lab, options, false),
  up: (lab, options) => bringUp(lab, options, true),
  down: (lab): Promise<DownResult> => takeDown(lab),
  exec: execInNode,
}

async function bringUp(file: Lab, options: RunOptions, keptUp: boolean): Promise<Measurements> {
  requireNamespaces(file)
  // Real hosts live by this machine's calendar.
  const lab = { ...file, epochMs: Date.now() }
  const bundles = await LabBundles.prepare(lab, options.trust)
  const left = readLedger(lab.name)
  if (left !== undefined && !isOwned(left)) await removeAll(left)
  const ledger = Ledger.begin(lab.name, newLabId())
  try {
    return await live(lab, ledger, bundles, options, keptUp)
  } finally {
    const made = readLedger(lab.name)
    if (made !== undefined) await removeAll(made)
  }
}

async function live(
  lab: Lab,
  ledger: Ledger,
  bundles: LabBundles,
  options: RunOptions,
  keptUp: boolean,
): Promise<Measurements> {
  const started = performance.now()
  const turn = async () => {
    await new Promise((resolve) => setImmediate(resolve))
    options.signal.throwIfAborted()
  }
  const stage = (what: string) =>
    options.onProgress({ virtualNs: 0, untilNs: lab.durationNs, packets: 0, stage: what })
  stage('making namespaces')
  const folder = makeFolder(lab, ledger)
  writeTrust(join(folder, 'trust'), bundles)
  const network = await LabNetwork.make(lab, ledger, turn)
  const patterns = await PatternFiles.write(lab, folder, turn)
  const surroundings: Surroundings = { lab, ledger, network, folder, patterns, bundles }
  const { captureFolder } = options
  const captures = captureFolder === undefined ? undefined : new LabCaptures(lab, network, captureFolder)
  let notCaptured = 0
  let measured: Measurements
  let setUpSeconds: number
  try {
    const live = new LiveLab(surroundings, hasUsableCurl())
    await orAborted(live.start(stage), options.signal)
    setUpSeconds = (performance.now() - started) / 1000
    options.onReady?.(
      lab.nodes.map(({ name }) => ({ node: name, enter: `ip netns exec ${network.namespace(name)}` })),
    )
    await tend(live, lab, ledger, options, keptUp)
    const isHurried = options.signal.aborted
    await within(live.settle(), isHurried ? HURRY_MS : SETTLE_MS)
    const isOver = !isHurried && lab.durationNs === undefined
    // Nothing changes any more: what routers tell of plugins may be as old as that.
    if (isOver && pluginsOf(lab).length > 0) await sleep(PLUGIN_FIGURES_MS)
    await within(live.measure(), isHurried ? HURRY_MS : SETTLE_MS)
    measured = live.measured
  } finally {
    notCaptured = captures?.close() ?? 0
  }
  return { ...measured, wall: { setUpSeconds, ...(captures === undefined ? {} : { notCaptured }) } }
}

/** Waits for something, but not for ever. */
async function within(work: Promise<unknown>, limitMs: number): Promise<void> {
  const stop = new AbortController()
  await Promise.race([work, sleep(limitMs, undefined, { signal: stop.signal }).catch(() => {})])
  stop.abort()
}

/** Until it is done, or its user has had enough. A lab that is kept up stays so without a duration. */
async function tend(
  live: LiveLab,
  lab: Lab,
  ledger: Ledger,
  options: RunOptions,
  keptUp: boolean,
): Promise<void> {
  const { signal, onProgress, onSnapshot } = options
  const stays = keptUp && lab.durationNs === undefined
  let snapshotAt = performance.now() + SNAPSHOT_MS
  let packets = 0
  for (;;) {
    live.tend()
    if (signal.aborted && keptUp) return
    signal.throwIfAborted()
    if ((live.isDone && !stays) || ledger.isAskedToEnd) return
    onProgress({ virtualNs: live.now, untilNs: lab.durationNs, packets })
    if (performance.now() >= snapshotAt) {
      const measured = await live.measure()
      packets = Object.values(measured.routers).reduce((sum, router) => sum + router.packets.in, 0)
      onSnapshot?.(measured)
      snapshotAt = performance.now() + SNAPSHOT_MS
    }
    await sleep(TURN_MS, undefined, { signal }).catch(() => {})
  }
}

/** What is being started is not waited for when nobody wants it any more; its processes stand in the ledger. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  work.catch(() => {})
  signal.throwIfAborted()
  await new Promise<void>((settle, refuse) => {
    signal.addEventListener('abort', () => refuse(signal.reason), { once: true })
    work.then(settle, refuse)
  })
}

/** Its owner's, but others may pass: nginx serves what lies in it as nobody. */
function makeFolder(lab: Lab, ledger: Ledger): string {
  const folder = mkdtempSync(join(tmpdir(), `pronto-${lab.name.slice(0, 24)}-`))
  ledger.add({ kind: 'folder', path: folder })
  chmodSync(folder, 0o711)
  return folder
}

function writeTrust(folder: string, { trust }: LabBundles): void {
  mkdirSync(folder)
  const certificates = [...trust.roots, ...trust.authorities].map((each) => each.toPem())
  writeFileSync(join(folder, 'ca.crt'), certificates.join(''))
  writeFileSync(join(folder, 'crl.pem'), trust.lists.map((each) => each.toPem()).join(''))
}
