/** Where the record of a lab stands that nobody has named a file for. */
import { join } from 'node:path'
import { runtimeFolder } from '../../router/index.ts'
import type { Lab } from '../file/index.ts'

/** A new file beside the sockets of the lab's routers, named after the time. */
export function defaultRecordFile({ name }: Lab, atMs = Date.now()): string {
  const time = new Date(atMs).toISOString().replace(/[-:]|\.\d+/g, '')
  return join(runtimeFolder(), name, `commands-${time}.jsonl`)
}
