/**
 * Paths into a report: `clients.c1[0].failed`, `routers.r1.packets.dropped.policy`. The one idea: own properties
 * only, and a counter that a sparse table leaves out is 0, while everything else that is not there is said so.
 */

/** Keys and indices from the report's root. */
export type ReportPath = readonly (string | number)[]

/** A text that is no path. */
export class ReportPathError extends Error {
  override readonly name = 'ReportPathError'
}

const STEP = /(?:^|\.)([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\[("[^"\\]*"|'[^'\\]*')\]/y

/**
 * The steps of a path. Names are letters, digits, `_` and `-`; others stand in quotes: `["a b"]`.
 * @throws ReportPathError naming where the text stops being a path
 */
export function parseReportPath(text: string): ReportPath {
  const steps: (string | number)[] = []
  let at = 0
  while (at < text.length) {
    STEP.lastIndex = at
    const match = STEP.exec(text)
    if (match === null || (at === 0 && match[1] !== match[0]))
      throw new ReportPathError(
        `expected a path such as clients.c1[0].failed; ${JSON.stringify(text)} goes wrong at ${at + 1}`,
      )
    const [, name, index, quoted] = match
    if (name !== undefined) steps.push(name)
    else if (index !== undefined) steps.push(Number(index))
    else steps.push(quoted!.slice(1, -1))
    at = STEP.lastIndex
  }
  if (steps.length === 0)
    throw new ReportPathError('expected a path such as clients.c1[0].failed; got nothing')
  return steps
}

/** The value at a path, or why there is none. */
export type Found = { readonly value: unknown } | { readonly missing: string }

/** Follows a path through own properties. */
export function followPath(report: unknown, path: ReportPath): Found {
  let value = report
  for (const [index, step] of path.entries()) {
    if (typeof value !== 'object' || value === null)
      return { missing: `${describe(path, index)} is not a table` }
    if (Object.hasOwn(value, step) && !(Array.isArray(value) && typeof step === 'string')) {
      value = (value as Record<string | number, unknown>)[step]
      continue
    }
    if (isSparse(path) && index === path.length - 1) return { value: 0 }
    return { missing: `${describe(path, index)} has no ${step}; it has ${listKeys(value)}` }
  }
  return value === undefined ? { missing: `${describe(path, path.length)} is undefined` } : { value }
}

/** Tables that leave out counters that are 0: drop reasons, and the servers that answered a client. */
function isSparse(path: ReportPath): boolean {
  const [root] = path
  if (root === 'routers') return path.length === 5 && path[2] === 'packets' && path[3] === 'dropped'
  return root === 'clients' && path.length === 5 && typeof path[2] === 'number' && path[3] === 'servers'
}

function describe(path: ReportPath, steps: number): string {
  return steps === 0 ? 'the report' : path.slice(0, steps).join('.')
}

function listKeys(value: object): string {
  const keys = Object.keys(value)
  if (keys.length === 0) return 'nothing'
  return keys.length > 12 ? `${keys.slice(0, 12).join(', ')}, ...` : keys.join(', ')
}
