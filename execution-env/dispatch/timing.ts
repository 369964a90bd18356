/**
 * How long calls take. The one idea: on a real router they take what they take; in the simulator a call takes what the
 * model says, on a virtual processor, whatever the machine does, so that the same lab gives the same bytes.
 */

export type Timing =
  | { readonly kind: 'measured' }
  | {
      readonly kind: 'modelled'
      /** Of a call or a batch. */
      readonly callNs: number
      /** Of each record in a batch. */
      readonly recordNs: number
      /** Of loading a program and of moving its state. */
      readonly loadNs: number
    }

/** About what a sandbox process takes on a slow machine. */
export const MODELLED: Timing = { kind: 'modelled', callNs: 20_000, recordNs: 500, loadNs: 5e6 }

export type Work =
  | { readonly kind: 'call' }
  | { readonly kind: 'batch'; readonly records: number }
  | { readonly kind: 'load' }

/** Modelled time of a piece of work; 0 where time is measured. */
export function modelledNs(timing: Timing, work: Work): number {
  if (timing.kind === 'measured') return 0
  if (work.kind === 'load') return timing.loadNs
  return timing.callNs + (work.kind === 'batch' ? work.records * timing.recordNs : 0)
}
