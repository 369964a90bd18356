/**
 * The disk of a simulated router: memory that outlives the router's lives and nothing else. What was written is there
 * after a crash; the registry's own tests take that away from it.
 */
import { basename, dirname } from 'node:path'
import type { Registry } from '../../router/index.ts'

type Disk = NonNullable<Parameters<typeof Registry.open>[1]>

export class MemoryDisk implements Disk {
  readonly #files = new Map<string, Uint8Array>()

  read(path: string): Uint8Array | undefined {
    return this.#files.get(path)
  }

  list(folder: string): readonly string[] {
    return [...this.#files.keys()].filter((path) => dirname(path) === folder).map((path) => basename(path))
  }

  makeFolder(): void {}

  write(path: string, content: Uint8Array): void {
    this.#files.set(path, Uint8Array.from(content))
  }

  flush(): void {}

  rename(from: string, to: string): void {
    this.#files.set(to, this.#files.get(from)!)
    this.#files.delete(from)
  }

  remove(path: string): void {
    this.#files.delete(path)
  }

  flushFolder(): void {}
}
