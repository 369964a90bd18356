/**
 * The disciplines that start-time fair queueing is told apart from, as rank models in exact rationals: self-clocked
 * (Golestani 1994: finish tags, v = finish tag of the packet in service) and weighted fair queueing (Demers, Keshav,
 * Shenker 1989: finish tags in the virtual time of a fluid server of an assumed rate).
 */
import type { Discipline } from './discipline.ts'
import { Fraction } from './fraction.ts'
import { FlatModel } from './start-time-model.ts'

/** Self-clocked fair queueing. */
export function selfClocked(weights: readonly number[]): Discipline {
  return new FlatModel(weights, { during: 'finish', by: 'finish' })
}

/** Weighted fair queueing whose fluid server sends `unitsPerTick`, whatever the real one does. */
export class WeightedFairModel implements Discipline {
  readonly #weights: readonly Fraction[]
  readonly #rate: Fraction
  readonly #lastFinish: Fraction[]
  #queue: { flow: number; finish: Fraction }[] = []
  #virtual = Fraction.ZERO
  #time = Fraction.ZERO

  constructor(weights: readonly number[], unitsPerTick: Fraction) {
    this.#weights = weights.map((each) => Fraction.of(each))
    this.#rate = unitsPerTick
    this.#lastFinish = weights.map(() => Fraction.ZERO)
  }

  arrive(flow: number, length: number, at: number): void {
    this.#advance(Fraction.of(at))
    const start = this.#virtual.max(this.#lastFinish[flow])
    const finish = start.plus(Fraction.of(length).over(this.#weights[flow]))
    this.#lastFinish[flow] = finish
    this.#queue.push({ flow, finish })
  }

  pick(): number {
    if (this.#queue.length === 0) return -1
    let best = this.#queue[0]
    for (const each of this.#queue) {
      const order = each.finish.compare(best.finish)
      if (order < 0 || (order === 0 && each.flow < best.flow)) best = each
    }
    this.#queue = this.#queue.filter((each) => each !== best)
    return best.flow
  }

  complete(): void {}

  /** Lets the fluid server run: all its backlogged flows progress by the same virtual time. */
  #advance(until: Fraction): void {
    while (this.#time.compare(until) < 0) {
      let sum = Fraction.ZERO
      let nearest: Fraction | undefined
      for (const [flow, finish] of this.#lastFinish.entries()) {
        if (finish.compare(this.#virtual) <= 0) continue
        sum = sum.plus(this.#weights[flow])
        if (nearest === undefined || finish.compare(nearest) < 0) nearest = finish
      }
      if (nearest === undefined) {
        this.#time = until
        return
      }
      const empties = this.#time.plus(nearest.minus(this.#virtual).times(sum).over(this.#rate))
      if (empties.compare(until) <= 0) {
        this.#virtual = nearest
        this.#time = empties
      } else {
        this.#virtual = this.#virtual.plus(until.minus(this.#time).times(this.#rate).over(sum))
        this.#time = until
      }
    }
  }
}
