/**
 * A disk that forgets. The one idea: what a program sees and what survives a loss of power are two states; `flush`
 * and `flushFolder` carry over from the one to the other, and at the loss everything in between may have reached the
 * disk or not, each for itself. A killed process (kill -9) loses nothing that it has written.
 */
import { basename, dirname } from 'node:path'
import type { Disk } from '../../../router/state/disk.ts'

/** What the disk throws at the step at which its machine dies, and ever after. */
export class Dead extends Error {}

interface Content {
  bytes: Uint8Array
  /** What of it is on the disk; undefined: nothing, not even its length. */
  durable: Uint8Array | undefined
}

type Names = Map<string, Content>

export class ModelDisk implements Disk {
  steps = 0
  /** The step at which the machine dies. */
  dieAt = Number.POSITIVE_INFINITY
  #folders = new Map<string, Names>()
  /** Names as the disk has them. */
  #durable = new Map<string, Names>()
  #pending: { folder: string; apply: (names: Names) => void }[] = []

  read(path: string): Uint8Array | undefined {
    this.#step(false)
    return this.#folders.get(dirname(path))?.get(basename(path))?.bytes
  }

  list(folder: string): readonly string[] {
    this.#step(false)
    return [...(this.#folders.get(folder)?.keys() ?? [])]
  }

  makeFolder(folder: string): void {
    this.#step()
    for (let each = folder; !this.#folders.has(each); each = dirname(each)) {
      this.#folders.set(each, new Map())
      this.#durable.set(each, new Map())
    }
  }

  write(path: string, content: Uint8Array): void {
    this.#step()
    const made: Content = { bytes: new Uint8Array(0), durable: undefined }
    this.#rename(dirname(path), (names) => names.set(basename(path), made))
    // It may die between any two bytes; half of them stands for all.
    made.bytes = content.slice(0, content.length >> 1)
    this.#step()
    made.bytes = content.slice()
  }

  flush(path: string): void {
    this.#step()
    const content = this.#folders.get(dirname(path))!.get(basename(path))!
    content.durable = content.bytes
  }

  rename(from: string, to: string): void {
    this.#step()
    const content = this.#folders.get(dirname(from))!.get(basename(from))!
    this.#rename(dirname(to), (names) => {
      names.delete(basename(from))
      names.set(basename(to), content)
    })
  }

  remove(path: string): void {
    this.#step()
    this.#rename(dirname(path), (names) => names.delete(basename(path)))
  }

  flushFolder(folder: string): void {
    this.#step()
    for (const each of this.#pending) if (each.folder === folder) each.apply(this.#durable.get(folder)!)
    this.#pending = this.#pending.filter((each) => each.folder !== folder)
  }

  /** The disk after kill -9: everything that was written is there. */
  afterKill(): ModelDisk {
    const after = new ModelDisk()
    for (const [folder, names] of this.#folders) after.#restore(folder, names, (each) => each.bytes)
    return after
  }

  /**
   * The disk after a loss of power.
   * @param survives decides for each change of a folder, and each unflushed content, whether it reached the disk
   */
  afterPowerLoss(survives: () => boolean): ModelDisk {
    for (const { folder, apply } of this.#pending) if (survives()) apply(this.#durable.get(folder)!)
    const after = new ModelDisk()
    for (const [folder, names] of this.#durable)
      after.#restore(folder, names, (each) => (survives() ? each.bytes : (each.durable ?? new Uint8Array(0))))
    return after
  }

  #restore(folder: string, names: Names, pick: (content: Content) => Uint8Array): void {
    const kept: Names = new Map()
    for (const [name, content] of names) {
      const bytes = pick(content)
      kept.set(name, { bytes, durable: bytes })
    }
    this.#folders.set(folder, kept)
    this.#durable.set(folder, new Map(kept))
  }

  #rename(folder: string, apply: (names: Names) => void): void {
    apply(this.#folders.get(folder)!)
    this.#pending.push({ folder, apply })
  }

  #step(counts = true): void {
    if (this.steps >= this.dieAt) throw new Dead('the machine is dead')
    if (counts) this.steps++
  }
}
