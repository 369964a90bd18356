/** A process that upgrades a plugin in the registry of a folder and kills itself before a given step of the disk. */
import { type Disk, REAL_DISK } from '../../../router/state/disk.ts'
import { versionOf } from '../../../router/state/entry.ts'
import { fileOf, Registry } from '../../../router/state/registry.ts'

const [folder = '', step] = process.argv.slice(2)
let left = Number(step)

function counted<Arguments extends unknown[], Result>(work: (...given: Arguments) => Result) {
  return (...given: Arguments): Result => {
    if (--left === 0) process.kill(process.pid, 'SIGKILL')
    return work(...given)
  }
}

const disk: Disk = {
  ...REAL_DISK,
  write: counted(REAL_DISK.write),
  flush: counted(REAL_DISK.flush),
  rename: counted(REAL_DISK.rename),
  remove: counted(REAL_DISK.remove),
  flushFolder: counted(REAL_DISK.flushFolder),
}
const registry = Registry.open(folder, disk)
const present = registry.get('a')!
const bytes = new TextEncoder().encode('bundle a2')
registry.put({ ...present, file: fileOf(bytes), previous: versionOf(present) }, bytes)
registry.put({ ...registry.get('a')!, priority: 1 })
