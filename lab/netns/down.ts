/**
 * `down`: removes what a lab has left. A lab whose process lives is asked to end itself, which it does as after Ctrl-C;
 * what a dead one left is removed by its ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DownResult } from '../backend.ts'
import type { Lab } from '../file/index.ts'
import { LabFailure } from '../lab-failure.ts'
import { askToEnd, isOwned, readLedger } from './ledger.ts'
import { removeAll } from './removal.ts'

const LIMIT_MS = 15_000
const LOOK_MS = 50

export async function takeDown(lab: Lab): Promise<DownResult> {
  const content = readLedger(lab.name)
  if (content === undefined) return { found: false, removed: [] }
  if (!isOwned(content)) return { found: true, removed: await removeAll(content) }
  askToEnd(lab.name)
  const deadline = performance.now() + LIMIT_MS
  while (readLedger(lab.name)?.id === content.id && isOwned(content)) {
    if (performance.now() > deadline)
      throw new LabFailure(
        `lab ${lab.name} does not end: process ${content.owner.pid} keeps it up; end that and ask again`,
        'busy',
      )
    await sleep(LOOK_MS)
  }
  const left = readLedger(lab.name)
  if (left?.id === content.id) return { found: true, removed: await removeAll(left) }
  return { found: true, removed: [...content.namespaces.keys()].map((name) => `namespace ${name}`) }
}
