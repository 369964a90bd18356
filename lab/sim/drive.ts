/**
 * What drives a simulation: to its end as fast as it goes, at the pace of the wall clock, or along a record. The one
 * idea: virtual time stands still while the administration of a router is at work, which takes turns of the event
 * loop, and what operators ask is handed in when an instant is over; so how fast time goes changes nothing.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { type Nanoseconds, NEVER } from '../../engine/index.ts'
import type { Progress, RunOptions } from '../backend.ts'
import type { Recorded } from '../record/index.ts'
import { measure } from './measure.ts'
import type { OperatorDesk } from './operator-desk.ts'
import type { Simulation } from './simulation.ts'

/** Events between two looks at the wall clock. */
const SLICE = 2000
/** Wall time after which the event loop gets a turn. */
const TURN_MS = 50
const SNAPSHOT_MS = 1000

type RaceOptions = Partial<Pick<RunOptions, 'signal' | 'onProgress'>>

/** Runs to the end, as fast as it goes, with a turn for the event loop now and then. */
export async function race(simulation: Simulation, options: RaceOptions = {}): Promise<void> {
  await reach(NEVER, simulation, options)
}

/** Hands in every command of a record at its time, and ends when the recorded lab did. */
export async function replay(
  simulation: Simulation,
  { commands, endNs }: Recorded,
  options: RaceOptions = {},
): Promise<void> {
  for (const { atNs, router, command } of commands) {
    await reach(atNs, simulation, options)
    const node = simulation.routers.find((each) => each.name === router)
    // Whoever asked has seen the refusal, if it was one.
    node?.plugins?.administration.carryOut(command).catch(() => {})
    await settle(simulation)
  }
  await reach(endNs ?? NEVER, simulation, options)
}

export interface PaceOptions extends Pick<RunOptions, 'signal' | 'onProgress' | 'onSnapshot'> {
  readonly desk: OperatorDesk
  /** Called when an instant is over: routers may have come up or gone down. */
  readonly onTurn: () => void
}

/**
 * One virtual second a second, until the signal or the lab's duration. Then an instant is over: nothing is left to
 * happen at the present time.
 */
export async function pace(simulation: Simulation, options: PaceOptions): Promise<void> {
  const { signal, onProgress, onSnapshot, desk, onTurn } = options
  const { timeline } = simulation
  const started = performance.now()
  let snapshotAt = started + SNAPSHOT_MS
  while (!signal.aborted) {
    const target = Math.floor((performance.now() - started) * 1e6)
    const turnAt = performance.now() + TURN_MS
    while (timeline.nextAt <= target && (await goOn(simulation, target)) && performance.now() < turnAt);
    await settle(simulation)
    if (timeline.nextAt > target) timeline.advance(Math.min(target, simulation.untilNs ?? NEVER))
    while (!desk.isEmpty) {
      desk.next(timeline.now)
      await settle(simulation)
    }
    onTurn()
    onProgress(progressOf(simulation))
    if (onSnapshot !== undefined && performance.now() >= snapshotAt) {
      onSnapshot(measure(simulation, (performance.now() - started) / 1000))
      snapshotAt += SNAPSHOT_MS
    }
    if (simulation.isDone) return
    await sleep(TURN_MS, undefined, { signal }).catch(() => {})
  }
}

/**
 * Runs until nothing is left to happen up to a time, and it is that time; or to the end if that is before it.
 * @throws the signal's reason
 */
async function reach(
  until: Nanoseconds,
  simulation: Simulation,
  { signal, onProgress }: RaceOptions,
): Promise<void> {
  const { timeline } = simulation
  let turnAt = performance.now() + TURN_MS
  for (;;) {
    if (await goOn(simulation, until)) {
      if (timeline.nextAt <= until && performance.now() < turnAt) continue
      onProgress?.(progressOf(simulation))
      turnAt = performance.now() + TURN_MS
    }
    // What is under way in administrations may bring new events.
    await settle(simulation)
    signal?.throwIfAborted()
    if (simulation.isDone || timeline.nextAt === NEVER || timeline.nextAt > until) break
  }
  if (until !== NEVER && !simulation.isDone) timeline.advance(until)
}

/** Lets some events happen. Returns whether anything is left to do. @throws why the lab cannot go on */
async function goOn(simulation: Simulation, until: Nanoseconds): Promise<boolean> {
  if (simulation.isBusy) await nextTurn()
  check(simulation)
  return simulation.step(SLICE, until)
}

/** Lets everything happen that belongs to the present instant, what administrations do included. */
async function settle(simulation: Simulation): Promise<void> {
  const { timeline } = simulation
  for (;;) {
    await nextTurn()
    check(simulation)
    if (timeline.nextAt > timeline.now || simulation.isDone) return
    simulation.step(SLICE, timeline.now)
  }
}

function check(simulation: Simulation): void {
  if (simulation.failure !== undefined) throw simulation.failure
}

function progressOf(simulation: Simulation): Progress {
  return { virtualNs: simulation.timeline.now, untilNs: simulation.untilNs, packets: simulation.counter.hops }
}
