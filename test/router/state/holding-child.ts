/** A process that takes the lock of a folder, says how that went, and stays until it is killed. */
import { StateLock } from '../../../router/state/lock.ts'

try {
  StateLock.take(process.argv[2] ?? '')
  process.stdout.write('taken\n')
} catch (error) {
  process.stdout.write(`${(error as Error).message}\n`)
}
setInterval(() => {}, 60_000)
