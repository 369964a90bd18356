/** What an examination of this machine finds. */

/** What a machine may be used for. */
export const USES = ['sim', 'netns', 'router', 'host', 'bench'] as const
export type Use = (typeof USES)[number]

/** What each use is, for people. */
export const USE_TITLES: Readonly<Record<Use, string>> = {
  sim: 'simulated labs and plugin development',
  netns: 'labs of real hosts (--backend netns)',
  router: 'routers on real ports (pronto router run)',
  host: 'host agents (pronto host run)',
  bench: 'all benchmarks and tests',
}

export interface Finding {
  /** What was looked for. */
  readonly what: string
  readonly present: boolean
  /** What was found, or what is wrong, in a few words. */
  readonly detail: string
  /** What cannot be done without it. */
  readonly neededFor: readonly Use[]
  /** How to get it, in words; only where it is missing. */
  readonly remedy?: string
  /** The Debian package that brings it. */
  readonly package?: string
}

/** The whole examination. */
export interface Examination {
  readonly findings: readonly Finding[]
  /** For each use, what is missing; empty: it can be done. */
  readonly missing: Readonly<Record<Use, readonly string[]>>
  /** Debian packages that bring what is missing. */
  readonly packages: readonly string[]
}

export function conclude(findings: readonly Finding[]): Examination {
  const lacking = findings.filter(({ present }) => !present)
  const missing = Object.fromEntries(
    USES.map((use) => [
      use,
      lacking.filter(({ neededFor }) => neededFor.includes(use)).map(({ what }) => what),
    ]),
  ) as Record<Use, string[]>
  const packages = lacking.flatMap((each) => each.package ?? [])
  return { findings, missing, packages: [...new Set(packages)] }
}
