/** The engine's own scheduler as a discipline of the simulation: counts stand for packets. */
import { NO_NODE, ROOT, StartTimeFair } from '../../../../engine/scheduler/start-time-fair.ts'
import type { Discipline } from './discipline.ts'
import type { TreeNode } from './start-time-model.ts'

export class EngineDiscipline implements Discipline {
  readonly fair = new StartTimeFair()
  /** Engine node of each node of the description. */
  readonly nodes: number[] = []
  /** Start tag of each leaf's service, in the order of service. */
  readonly startTags: number[] = []
  readonly #flowOf = new Map<number, number>()
  readonly #packets = new Map<number, number>()

  /** Flows are the numbers of leaves in `tree`, whose node 0 is the root. */
  constructor(tree: readonly TreeNode[]) {
    for (const [id, { parent, weight }] of tree.entries()) {
      const node = id === 0 ? ROOT : this.fair.addNode(this.nodes[parent], weight)
      this.nodes.push(node)
      this.#flowOf.set(node, id)
    }
  }

  /** One level: flow f is a leaf of weight weights[f] below the root. */
  static flat(weights: readonly number[]): Discipline & { readonly startTags: number[] } {
    const engine = new EngineDiscipline([
      { parent: -1, weight: 1 },
      ...weights.map((weight) => ({ parent: 0, weight })),
    ])
    return {
      startTags: engine.startTags,
      arrive: (flow, length, at) => engine.arrive(flow + 1, length, at),
      pick: () => Math.max(engine.pick() - 1, -1),
      complete: (length) => engine.complete(length),
    }
  }

  arrive(flow: number, _length: number, _at: number): void {
    this.#packets.set(flow, (this.#packets.get(flow) ?? 0) + 1)
    this.fair.activate(this.nodes[flow])
  }

  pick(): number {
    const node = this.fair.pick()
    if (node === NO_NODE) return -1
    this.startTags.push(this.fair.startTag(node))
    return this.#flowOf.get(node) ?? -1
  }

  complete(length: number): void {
    const flow = this.#flowOf.get(this.fair.serving) ?? -1
    const left = (this.#packets.get(flow) ?? 0) - 1
    this.#packets.set(flow, left)
    this.fair.account(length, left > 0)
  }
}
