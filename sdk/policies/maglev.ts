/**
 * Maglev hashing: a table that every router builds alike from names, weights and seed, so that any of them finds a
 * flow's backend without having seen the flow.
 *
 * Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer", NSDI 2016, section 3.4: each backend
 * walks through the table in an order of its own (offset and skip from its name) and takes the next free entry when
 * it is its turn; heavier ones have more turns (section 3.4, "relative frequency of the backends' turns").
 * Guarantees: shares within 1 % of the weights while the table has 100 entries or more for each unit of weight; when
 * a backend comes or goes, few entries change beside its own. `pick` is one lookup.
 */
import { candidates, type NamedBackend, weightOf } from './backend.ts'
import { type HashKey, hashName, hashOf } from './hash.ts'

/** The paper's small table. */
const SIZE = 65_537
const SIZE_MAX = 1_000_003
const BACKENDS_MAX = 4_096
const FREE = 0xffff
/** The second hash of a name is of another family than the first. */
const SKIP_SEED = 0x5bd1e995

export interface MaglevOptions {
  /** Entries of the table: a prime, 100 times the backends or more, at most 1,000,003. Default 65,537. */
  readonly size?: number
  /** The same on every router that is to choose the same; default 0. */
  readonly seed?: number
}

export class Maglev<B extends NamedBackend> {
  readonly #seed: number
  readonly #table: Uint16Array
  #members: readonly B[] = []

  /** @throws RangeError for a size that is no prime, Error as `update` does */
  constructor(backends: readonly B[], options: MaglevOptions = {}) {
    const { size = SIZE, seed = 0 } = options
    if (!isPrime(size) || size > SIZE_MAX)
      throw new RangeError(`the size of a Maglev table: expected a prime of at most ${SIZE_MAX}, got ${size}`)
    this.#seed = seed
    this.#table = new Uint16Array(size)
    this.update(backends)
  }

  /**
   * Builds the table anew; the order of the list is nothing. Call it after every change of the list, a weight or a
   * state. Takes some milliseconds.
   * @throws Error for two backends of one name, RangeError for more than 4,096 of them or than fit into the table
   */
  update(backends: readonly B[]): void {
    const members = candidates(backends).sort((one, other) => (one.name < other.name ? -1 : 1))
    const most = Math.min(BACKENDS_MAX, this.#table.length)
    if (members.length > most) throw new RangeError(`${members.length} backends, expected at most ${most}`)
    for (let at = 1; at < members.length; at++)
      if (members[at]!.name === members[at - 1]!.name)
        throw new Error(`two backends with the name ${members[at]!.name}`)
    this.#members = members
    if (members.length > 0) fill(this.#table, members, this.#seed)
  }

  /** The backend of this key, or undefined when none may get a flow. */
  pick(key: HashKey): B | undefined {
    return this.#members[this.#table[hashOf(key, this.#seed) % this.#table.length]!]
  }
}

function fill(table: Uint16Array, members: readonly NamedBackend[], seed: number): void {
  const size = table.length
  const skips = members.map(({ name }) => (hashName(name, seed ^ SKIP_SEED) % (size - 1)) + 1)
  const places = members.map(({ name }) => hashName(name, seed) % size)
  const heaviest = Math.max(...members.map(weightOf))
  const rates = members.map((each) => weightOf(each) / heaviest)
  table.fill(FREE)
  let filled = 0
  for (let round = 1; ; round++)
    for (let member = 0; member < members.length; member++) {
      // The heaviest has a turn in every round, the others in as many as their weight says.
      const rate = rates[member]!
      if (Math.floor(round * rate) === Math.floor((round - 1) * rate)) continue
      const skip = skips[member]!
      let place = places[member]!
      while (table[place] !== FREE) place = (place + skip) % size
      table[place] = member
      if (++filled === size) return
      places[member] = (place + skip) % size
    }
}

function isPrime(number: number): boolean {
  if (!Number.isInteger(number) || number < 2) return false
  for (let divisor = 2; divisor * divisor <= number; divisor++) if (number % divisor === 0) return false
  return true
}
