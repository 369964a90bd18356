import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { unsupportedVerbs } from '../../execution-env/contract/api/index.ts'
import { EnvironmentError } from '../../execution-env/errors.ts'
import {
  EVENTS,
  LIFE,
  lifeDrawing,
  lifeTable,
  MEANINGS,
  nextState,
  STATES,
  type State,
} from '../../execution-env/life.ts'
import { ROUND_ROBIN } from './policies.ts'
import { bundle, Rig } from './rig.ts'

const GOOD = { setup: ROUND_ROBIN }
const CONFIG = { service: '198.18.0.0/15', servers: ['10.0.2.2', '10.0.2.3'] }
const BAD = { setup: `router.tunnels.open({ to: '10.0.2.9' }); throw new Error('no')` }
const GREEDY = { setup: `router.tunnels.open({ to: '11.0.0.1' })` }

describe('the life of an instance', () => {
  it('leads from the first state to every other, and from every state to the last', () => {
    const reach = (from: State): Set<State> => {
      const seen = new Set<State>([from])
      for (const state of seen) for (const next of Object.values(LIFE[state])) seen.add(next)
      return seen
    }
    expect([...reach('installed')].sort()).to.deep.equal([...STATES].sort())
    for (const state of STATES) expect(reach(state).has('removed'), state).to.equal(true)
    for (const event of EVENTS)
      expect(
        STATES.some((state) => nextState(state, event) !== undefined),
        event,
      ).to.equal(true)
  })

  it('stands in the documentation as it is in the code', () => {
    const text = readFileSync(new URL('../../docs/control-path.md', import.meta.url), 'utf8')
    expect(text).to.include(lifeTable())
    expect(text).to.include(lifeDrawing())
    for (const state of STATES) expect(text, state).to.include(MEANINGS[state])
    for (const verb of unsupportedVerbs()) expect(text, verb).to.include(`\`${verb}\``)
  })

  /** What an operator, traffic and accidents may do, in any order. */
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('a moment', 'start', 'upgrade', 'traffic') },
    {
      weight: 4,
      arbitrary: fc.constantFrom(
        ...['install', 'load bad', 'upgrade bad', 'upgrade greedy', 'rollback', 'drain', 'purge'],
        ...['remove', 'crash', 'blame', 'culprit', 'wait', 'dry run'],
      ),
    },
  )
  const steps = fc
    .array(step, { minLength: 1, maxLength: 25 })
    .map((list) => ['install', 'start', 'a moment', 'a moment', ...list])

  it('never leaves the table, and nothing of an instance is left after its end', function () {
    this.timeout(60_000)
    const reached = new Set<string>()
    fc.assert(
      fc.property(steps, (list) => {
        const rig = new Rig()
        let flow = 1
        let open = 0
        const count = (): void => void open++
        const attempt = (run: () => void): void => {
          try {
            run()
          } catch (error) {
            if (!(error instanceof EnvironmentError)) throw error
          }
        }
        const act = (what: string): void => {
          const { manager, now } = rig
          const ends = () => open--
          switch (what) {
            case 'install':
              return void manager.install(bundle(GOOD), { config: CONFIG })
            case 'load bad':
              return manager.load(bundle(BAD), {}, now, () => {})
            case 'start':
              manager.start('policy', now, ends)
              return count()
            case 'upgrade':
            case 'upgrade bad':
            case 'upgrade greedy': {
              const next = { upgrade: GOOD, 'upgrade bad': BAD, 'upgrade greedy': GREEDY }[what]
              manager.upgrade('policy', bundle({ ...next, version: `2.0.${flow}` }), {}, now, ends)
              return count()
            }
            case 'rollback':
              manager.rollback('policy', now, ends)
              return count()
            case 'drain':
            case 'purge':
              manager.stop('policy', what, now, ends)
              return count()
            case 'remove':
              return manager.remove('policy')
            case 'dry run':
              return manager.dryRun(bundle(GOOD), { config: CONFIG }, now, () => {})
            case 'traffic':
              for (let i = 0; i < 3; i++) rig.syn(flow++)
              return
            case 'wait':
              return rig.advance(35e9)
            case 'culprit':
              for (let i = 0; i < 3; i++) {
                crash(rig, true)
                rig.advance(0.5e9)
              }
              return
            case 'a moment':
              return rig.advance(7e6)
            default:
              return crash(rig, what === 'blame')
          }
        }
        for (const what of list) {
          attempt(() => act(what))
          rig.settle()
          const report = rig.manager.report('policy')
          if (report !== undefined) reached.add(report.state)
          if (report !== undefined) expect(STATES).to.include(report.state)
          expect(rig.isConserved).to.equal(true)
        }
        rig.advance(1e9)
        attempt(() => rig.manager.stop('policy', 'purge', rig.now))
        rig.advance(1e9)
        attempt(() => rig.manager.remove('policy'))
        expect(open, 'everybody who waited was told').to.equal(0)
        expect(rig.manager.list()).to.deep.equal([])
        expectNothingLeft(rig)
      }),
      {
        numRuns: 100,
        examples: [
          [['install', 'start', 'a moment', 'a moment', 'upgrade', 'a moment', 'traffic', 'crash', 'drain']],
          [['install', 'start', 'a moment', 'a moment', 'culprit', 'upgrade bad', 'a moment', 'a moment']],
          [['install', 'start', 'a moment', 'a moment', 'traffic', 'a moment', 'drain', 'purge', 'a moment']],
        ],
      },
    )
    expect([...reached].sort()).to.include.members([
      ...[
        'failed',
        'installed',
        'quarantined',
        'recovering',
        'running',
        'starting',
        'stopped',
        'stopping',
        'upgrading',
      ],
    ])
  })
})

/** The sandbox process dies, or is made to by the instance that serves. */
function crash(rig: Rig, blamed: boolean): void {
  const program = rig.dispatcher.tenants.get('policy')?.program
  if (program === undefined) return
  program.sandbox.unload(program.name)
  program.sandbox.poll(rig.now)
  const culprit = blamed ? program.name : undefined
  for (const each of rig.sandboxes.listeners)
    each({ kind: 'crashed', reason: 'died', culprit, lost: [program.name], detail: '' })
}

/** Whatever an owner can hold in the engine. */
function expectNothingLeft(rig: Rig): void {
  for (const table of ['filters', 'flows', 'tunnels']) expect(rig.rows(table), table).to.deep.equal([])
  expect(rig.rows('classes').map((each) => each['name'])).to.deep.equal(['default', 'default'])
  expect(rig.router.engine.balance().parked).to.equal(0)
  expect(rig.router.engine.stages.actions.size, 'action rows').to.equal(0)
  expect([...rig.dispatcher.tenants]).to.deep.equal([])
}
