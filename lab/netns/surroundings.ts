/** What the nodes of a lab in namespaces share. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Lab } from '../file/index.ts'
import type { LabBundles } from '../lab-bundles.ts'
import type { Ledger } from './ledger.ts'
import type { LabNetwork } from './network.ts'
import type { PatternFiles } from './pattern-files.ts'

export interface Surroundings {
  readonly lab: Lab
  readonly ledger: Ledger
  readonly network: LabNetwork
  /** Folder of generated configuration, logs and contents; everybody may pass through it. */
  readonly folder: string
  readonly patterns: PatternFiles
  readonly bundles: LabBundles
}

/** Writes a generated file and returns its path. */
export function writeGenerated({ folder }: Surroundings, name: string, text: string, mode = 0o644): string {
  const path = join(folder, name)
  writeFileSync(path, text, { mode })
  return path
}
