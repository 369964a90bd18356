/** The tests of a plugin: files `*.test.ts` anywhere in its folder. */
import { globSync } from 'node:fs'
import { join } from 'node:path'

const PATTERN = '**/*.test.{ts,mts,js,mjs}'
const FOREIGN = ['**/node_modules', '**/.*']

/** Files below `folder`, in order of their names. */
export function findTests(folder: string): readonly string[] {
  return globSync(PATTERN, { cwd: folder, exclude: FOREIGN })
    .sort()
    .map((file) => join(folder, file))
}
