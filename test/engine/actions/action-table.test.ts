import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import type { Action } from '../../../engine/actions/action.ts'
import {
  A,
  ACTION_SHIFT,
  ActionTable,
  OP,
  OP_DECIDE,
  OP_SPREAD,
  type References,
} from '../../../engine/actions/action-table.ts'
import { WAIT_LIMIT_NS } from '../../../engine/actions/action-values.ts'
import {
  ACTION_DEPTH_LIMIT,
  type ActionScope,
  compileAction,
  REPLICATE_LIMIT,
  SPREAD_LIMIT,
} from '../../../engine/actions/compile-action.ts'
import { describeAction } from '../../../engine/actions/describe-action.ts'
import { EngineError } from '../../../engine/errors.ts'
import { classed, rewritten } from '../../support/policies.ts'

/** Counts users; fails when one is given back that was not taken. */
class Uses implements References {
  readonly counts = new Map<number, number>()

  retain(number: number): void {
    this.counts.set(number, (this.counts.get(number) ?? 0) + 1)
  }

  release(number: number): void {
    const left = (this.counts.get(number) ?? 0) - 1
    expect(left, `uses of ${number}`).to.be.at.least(0)
    if (left === 0) this.counts.delete(number)
    else this.counts.set(number, left)
  }
}

const TUNNELS = ['t0', 't1', 't2', 't3']
const CLASSES = ['gold', 'silver', 'bronze']

class Rig {
  readonly tunnels = new Uses()
  readonly labels = new Uses()
  readonly table: ActionTable

  constructor(limit?: number) {
    this.table = new ActionTable(this.tunnels, this.labels, limit)
  }

  scope(owner = 1): ActionScope {
    return {
      owner,
      tunnel: (name, place) => index(TUNNELS, name, place),
      classLabel: (name, place) => index(CLASSES, name, place),
    }
  }

  compile(action: Action, owner = 1): number {
    return compileAction(this.table, action, this.scope(owner))
  }

  refusal(action: Action): EngineError {
    try {
      this.compile(action)
    } catch (error) {
      if (error instanceof EngineError) return error
      throw error
    }
    throw new Error('was not refused')
  }

  describe(row: number): string {
    return describeAction(this.table, row, (label) => CLASSES[label]!)
  }

  expectEmpty(): void {
    expect([this.table.size, this.tunnels.counts.size, this.labels.counts.size]).to.deep.equal([0, 0, 0])
  }
}

function index(names: readonly string[], name: string, place: string): number {
  const at = names.indexOf(name)
  if (at < 0) throw new EngineError('unknown', `no ${name}`, place)
  return at
}

const tunnel = (name: string): Action => ({ kind: 'tunnel', tunnel: name })
const spread = (...actions: Action[]): Action => ({
  kind: 'spread',
  to: actions.map((action, i) => ({ action, weight: i + 1 })),
})

const { action: anyAction } = fc.letrec<{ action: Action }>((tie) => ({
  action: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<Action>({ kind: 'forward' }, { kind: 'drop' }, { kind: 'decapsulate' }),
    fc.constantFrom(...TUNNELS).map(tunnel),
    fc.constant<Action>({ kind: 'forward', via: '10.0.0.9' }),
    fc.tuple(fc.constantFrom(...CLASSES), tie('action')).map(([name, next]) => classed(name, next)),
    tie('action').map((next) => rewritten({ toPort: 81 }, next)),
    fc.array(tie('action'), { minLength: 1, maxLength: 3 }).map((to): Action => ({ kind: 'replicate', to })),
    fc.array(tie('action'), { minLength: 1, maxLength: 3 }).map((to) => spread(...to)),
    tie('action').map((otherwise): Action => ({ kind: 'decide', waitNs: 5, otherwise })),
  ),
}))

describe('ActionTable', () => {
  describe('when actions are compiled', () => {
    it('shares one row among equal actions and keeps it until its last user has gone', () => {
      const rig = new Rig()
      const row = rig.compile(tunnel('t1'))
      expect(rig.compile(tunnel('t1'))).to.equal(row)
      expect(rig.table.size).to.equal(1)
      expect(rig.tunnels.counts.get(1), 'one use of the tunnel for both').to.equal(1)
      rig.table.release(row)
      expect(rig.table.size).to.equal(1)
      rig.table.release(row)
      rig.expectEmpty()
    })

    it('holds many different actions', () => {
      const rig = new Rig()
      const compiled = Array.from({ length: 300 }, (_, i) =>
        rig.compile({ kind: 'forward', via: `10.0.${i >> 8}.${i & 255}` }),
      )
      expect(compiled.map((row) => rig.describe(row))[299]).to.equal('forward via 10.0.1.43')
      for (const row of compiled) rig.table.release(row)
      rig.expectEmpty()
    })

    it('sets actions apart that differ in any number', () => {
      const rig = new Rig()
      const actions: Action[] = [
        { kind: 'forward' },
        { kind: 'forward', via: '10.0.0.1' },
        { kind: 'forward', via: '10.0.0.2' },
        { kind: 'drop' },
        { kind: 'drop', reason: 'no-server' },
        { kind: 'decide', waitNs: 1, otherwise: { kind: 'forward' } },
        { kind: 'decide', waitNs: 2, otherwise: { kind: 'forward' } },
        spread(tunnel('t0'), tunnel('t1')),
        spread(tunnel('t1'), tunnel('t0')),
        { kind: 'replicate', to: [tunnel('t0'), tunnel('t1')] },
        rewritten({ to: '10.0.0.1' }, { kind: 'forward' }),
        rewritten({ from: '10.0.0.1' }, { kind: 'forward' }),
      ]
      const compiled = actions.map((each) => rig.compile(each))
      expect(new Set(compiled).size).to.equal(actions.length)
      for (const row of compiled) rig.table.release(row)
      rig.expectEmpty()
    })

    it('gives everything back, whatever was compiled in whatever order, so that tables are empty (R-SLR-11)', () => {
      const programs = fc.array(fc.tuple(anyAction, fc.boolean(), fc.integer({ min: 0, max: 2 })), {
        maxLength: 12,
      })
      fc.assert(
        fc.property(programs, (program) => {
          const rig = new Rig()
          const held: number[] = []
          for (const [action, releases, owner] of program) {
            const before = rig.table.size
            try {
              held.push(rig.compile(action, owner))
            } catch (error) {
              expect((error as EngineError).code, 'only depth can be refused').to.equal('limit')
              expect(rig.table.size, 'rows after a refusal').to.equal(before)
            }
            if (releases && held.length > 0) rig.table.release(held.shift()!)
          }
          for (const row of held) rig.table.release(row)
          rig.expectEmpty()
        }),
        { numRuns: 300 },
      )
    })
  })

  describe('when a modifier stands before a choice', () => {
    it('moves into the branches of a spread', () => {
      const rig = new Rig()
      const row = rig.compile(classed('gold', spread(tunnel('t0'), tunnel('t1'))))
      const written = rig.compile(spread(classed('gold', tunnel('t0')), classed('gold', tunnel('t1'))))
      expect(row).to.equal(written)
      expect(rig.describe(row)).to.equal('spread [1: class gold > tunnel 0, 2: class gold > tunnel 1]')
      rig.table.release(row)
      rig.table.release(written)
      rig.expectEmpty()
    })

    it('moves into what a decide does without an answer', () => {
      const rig = new Rig()
      const row = rig.compile(
        classed('gold', { kind: 'decide', waitNs: 5, otherwise: spread({ kind: 'forward' }) }),
      )
      expect(rig.describe(row)).to.equal('decide (else spread [1: class gold > forward])')
      rig.table.release(row)
      rig.expectEmpty()
    })
  })

  describe('when an action cannot be compiled', () => {
    const cases: readonly [string, Action, string, string][] = [
      ['an unknown tunnel', classed('gold', tunnel('nope')), 'unknown', 'action.then.tunnel'],
      ['a label that cannot be had', classed('tin', tunnel('t0')), 'unknown', 'action.class'],
      ['a next hop that is none', { kind: 'forward', via: '1.2.3' }, 'invalid', 'action.via'],
      ['a multicast next hop', { kind: 'forward', via: '224.0.0.1' }, 'invalid', 'action.via'],
      ['an unknown drop reason', { kind: 'drop', reason: 'tired' as 'policy' }, 'invalid', 'action.reason'],
      ['the reason for no drop', { kind: 'drop', reason: 'none' }, 'invalid', 'action.reason'],
      ['no branches', { kind: 'replicate', to: [] }, 'invalid', 'action.to'],
      [
        'too many copies',
        {
          kind: 'replicate',
          to: Array.from({ length: REPLICATE_LIMIT + 1 }, () => ({ kind: 'forward' as const })),
        },
        'invalid',
        'action.to',
      ],
      [
        'too many choices',
        spread(...Array.from({ length: SPREAD_LIMIT + 1 }, () => ({ kind: 'forward' as const }))),
        'invalid',
        'action.to',
      ],
      [
        'a weight of 0',
        {
          kind: 'spread',
          to: [
            { action: tunnel('t0'), weight: 1 },
            { action: tunnel('t1'), weight: 0 },
          ],
        },
        'invalid',
        'action.to[1].weight',
      ],
      [
        'a fault in a branch',
        { kind: 'replicate', to: [tunnel('t0'), spread(tunnel('t1'), tunnel('nope'))] },
        'unknown',
        'action.to[1].to[1].action.tunnel',
      ],
      [
        'a spread without end',
        { kind: 'spread', idleNs: 0, to: [{ action: tunnel('t0'), weight: 1 }] },
        'invalid',
        'action.idleNs',
      ],
      ['a wait below 0', { kind: 'decide', waitNs: -1, otherwise: tunnel('t0') }, 'invalid', 'action.waitNs'],
      [
        'a wait too long',
        { kind: 'decide', waitNs: WAIT_LIMIT_NS + 1, otherwise: tunnel('t0') },
        'invalid',
        'action.waitNs',
      ],
      ['a rewrite of nothing', rewritten({}, tunnel('t0')), 'invalid', 'action'],
      ['a rewrite to a martian', rewritten({ to: '127.0.0.1' }, tunnel('t0')), 'invalid', 'action.to'],
      ['a multicast source', rewritten({ from: '224.0.0.1' }, tunnel('t0')), 'invalid', 'action.from'],
      ['a port out of range', rewritten({ toPort: 65536 }, tunnel('t0')), 'invalid', 'action.toPort'],
      ['an unknown kind', { kind: 'teleport' } as unknown as Action, 'invalid', 'action'],
    ]
    for (const [what, action, code, place] of cases)
      it(`refuses ${what} and leaves nothing behind`, () => {
        const rig = new Rig()
        const error = rig.refusal(action)
        expect([error.code, error.place]).to.deep.equal([code, place])
        rig.expectEmpty()
      })

    it('refuses what makes too many packets of one, but counts a choice once', () => {
      const rig = new Rig()
      const copies = (count: number, each: Action): Action => ({
        kind: 'replicate',
        to: Array(count).fill(each),
      })
      for (const action of [
        copies(8, copies(8, tunnel('t0'))),
        copies(60, spread(tunnel('t0'), copies(1, tunnel('t1')))),
      ])
        rig.table.release(rig.compile(action))
      const error = rig.refusal({
        kind: 'replicate',
        to: [tunnel('t0'), classed('gold', copies(8, copies(8, tunnel('t0'))))],
      })
      expect([error.code, error.reason]).to.deep.equal([
        'limit',
        'one packet becomes 65, at most 64 are allowed',
      ])
      rig.expectEmpty()
    })

    it('refuses what nests too deeply', () => {
      const rig = new Rig()
      let action: Action = tunnel('t0')
      for (let i = 1; i < ACTION_DEPTH_LIMIT; i++) action = classed('gold', action)
      rig.table.release(rig.compile(action))
      expect(rig.refusal(classed('gold', action)).code).to.equal('limit')
      rig.expectEmpty()
    })

    it('gives back what it had made when the table is full', () => {
      fc.assert(
        fc.property(anyAction, fc.integer({ min: 1, max: 6 }), (action, limit) => {
          const rig = new Rig(limit)
          try {
            rig.table.release(rig.compile(action))
          } catch (error) {
            expect((error as EngineError).code).to.equal('limit')
          }
          rig.expectEmpty()
          const row = rig.compile(tunnel('t0'))
          expect(rig.table.words[(row << ACTION_SHIFT) + A]).to.equal(0)
        }),
        { numRuns: 300 },
      )
    })
  })

  describe('when an owner is adopted', () => {
    it('asks and pins for the new owner, and shares no row with those made later', () => {
      const rig = new Rig()
      const decide: Action = { kind: 'decide', waitNs: 5, otherwise: { kind: 'forward' } }
      const rows = [rig.compile(decide, 1), rig.compile(spread(tunnel('t0')), 1)]
      rig.table.setOwner(1, 2)
      const owners = rows.map((row) => {
        const at = row << ACTION_SHIFT
        return rig.table.words[at + (rig.table.words[at + OP] === OP_DECIDE ? A : 3)]
      })
      expect(owners).to.deep.equal([2, 2])
      expect(rig.table.words[(rows[1] << ACTION_SHIFT) + OP]).to.equal(OP_SPREAD)
      const later = rig.compile(decide, 1)
      expect(later).to.not.equal(rows[0])
      for (const row of [...rows, later]) rig.table.release(row)
      rig.expectEmpty()
    })
  })

  describe('when rows are described', () => {
    it('says what they do', () => {
      const rig = new Rig()
      const action: Action = {
        kind: 'replicate',
        to: [
          { kind: 'forward', via: '10.0.0.9' },
          { kind: 'drop', reason: 'no-server' },
          rewritten({ from: '10.1.1.1', to: '10.2.2.2', fromPort: 1, toPort: 2 }, { kind: 'decapsulate' }),
        ],
      }
      const rewrite = 'rewrite from 10.1.1.1 from port 1 to 10.2.2.2 to port 2'
      expect(rig.describe(rig.compile(action))).to.equal(
        `replicate [forward via 10.0.0.9, drop no-server, ${rewrite} > decapsulate]`,
      )
      const many = rig.compile(spread(...Array.from({ length: 10 }, () => tunnel('t0'))))
      expect(rig.describe(many)).to.match(/8: tunnel 0, and 2 more\]$/)
    })
  })
})
