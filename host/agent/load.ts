/** What a host tells of its load (R-SLR-17). The one idea: measured elsewhere, asked for when a report is due. */

export interface LoadReport {
  /** Of every prefix of virtual hosts: 0 idle, 1 fully loaded, more is overload. */
  readonly load: number
  /** Of single prefixes, by their text as configured, where they differ. */
  readonly loads?: Readonly<Record<string, number>>
  /** Connections that are open. */
  readonly connections: number
}

/** Gives the load at this moment. Must not wait: a report that takes time is prepared beforehand. */
export type LoadSource = () => LoadReport

/** A load as it may be reported: nothing negative, nothing that is no number. */
export function soundLoad(load: number, most: number): number {
  return load > 0 ? Math.min(load, most) : 0
}
