/** The account of a test's packets: per flow, how many went in, how many came out, and where. */

/** What became of one flow's packets. */
export interface Tally {
  readonly flow: string
  sent: number
  arrived: number
  /** Ends of the tunnels by which they left; `plain` outside a tunnel. */
  readonly exits: Set<string>
}

export class FlowAccount {
  readonly #tallies = new Map<string, Tally>()
  /** Packets of all flows. */
  sent = 0
  arrived = 0

  /** Flows in the account. */
  get size(): number {
    return this.#tallies.size
  }

  /** Begins anew. */
  clear(): void {
    this.#tallies.clear()
    this.sent = 0
    this.arrived = 0
  }

  noteSent(flow: string): void {
    this.#tallyOf(flow).sent++
    this.sent++
  }

  /** @returns whether the flow is in this account */
  noteArrived(flow: string, exit: string): boolean {
    const tally = this.#tallies.get(flow)
    if (tally === undefined) return false
    tally.arrived++
    tally.exits.add(exit)
    this.arrived++
    return true
  }

  /** Flows that lost a packet, got one twice, or left by another way than one of `exits` all the time. */
  wrong(exits: readonly string[]): Tally[] {
    return [...this.#tallies.values()].filter((each) => {
      const [exit = ''] = each.exits
      return each.sent !== each.arrived || each.exits.size !== 1 || !exits.includes(exit)
    })
  }

  #tallyOf(flow: string): Tally {
    let tally = this.#tallies.get(flow)
    if (tally === undefined) {
      tally = { flow, sent: 0, arrived: 0, exits: new Set() }
      this.#tallies.set(flow, tally)
    }
    return tally
  }
}
