/**
 * Expectations: a path into the report and a condition on what stands there. The one idea: everything that can be
 * known before the run is checked before it (form, hosts, clients, routers, drop reasons), and what is missing after
 * it is not met, with the reason.
 */
import { type Condition, meets, parseCondition } from './condition.ts'
import { type ExpectationResult, isConserved, type Measurements, type Report } from './report.ts'
import { followPath, parseReportPath, type ReportPath } from './report-path.ts'

/** A parsed expectation with the texts of the file. */
export interface Expectation {
  readonly path: string
  readonly is: string
  readonly steps: ReportPath
  readonly condition: Condition
}

/**
 * @throws ReportPathError or ConditionError
 */
export function parseExpectation(path: string, is: string | number | boolean): Expectation {
  return { path, is: String(is), steps: parseReportPath(path), condition: parseCondition(is) }
}

/** Judges one expectation by a report. */
export function judge(expectation: Expectation, report: object): ExpectationResult {
  const { path, is, steps, condition } = expectation
  const found = followPath(report, steps)
  if ('missing' in found)
    return { path, is, actual: null, met: false, why: `not in the report: ${found.missing}` }
  const actual = found.value
  if (meets(condition, actual)) return { path, is, actual, met: true }
  const why = `expected ${is}, got ${JSON.stringify(actual)?.slice(0, 200)}`
  return { path, is, actual, met: false, why }
}

/** The report of a run: its measurements, whether packets are conserved, and every expectation judged. */
export function completeReport(
  measured: Measurements & Pick<Report, 'wall'>,
  expectations: readonly Expectation[],
): Report {
  const { lab, backend, seed, virtualSeconds, clients, routers, wall } = measured
  const conservation = Object.values(routers).every((router) => isConserved(router.packets))
  const known = { lab, backend, seed, virtualSeconds, clients, routers, conservation, wall }
  const results = expectations.map((each) => judge(each, known))
  return { lab, backend, seed, virtualSeconds, clients, routers, conservation, expectations: results, wall }
}

/** Whether the run did what was expected: every expectation met and no packet unaccounted for. */
export function isSuccess(report: Report): boolean {
  return report.conservation && report.expectations.every((each) => each.met)
}
