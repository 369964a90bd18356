/**
 * A program's state on its way out. The one idea: it is asked for like anything else, judged like anything that comes
 * out of a plugin, and bounded; what becomes of it is whoever's who asked.
 */
import { checkResult, type ExportedState } from './contract/api/index.ts'
import { formatProblem } from './contract/index.ts'
import type { Dispatcher } from './dispatch/dispatcher.ts'
import type { Program } from './dispatch/program.ts'
import type { Tenant } from './dispatch/tenant.ts'
import { type Done, type Outcome, refusal } from './outcome.ts'

/** Asks a program that exports state for it. What it asks for meanwhile is not carried out. */
export function exportState(
  dispatcher: Dispatcher,
  tenant: Tenant,
  program: Program,
  now: number,
  done: Done<ExportedState>,
): void {
  const { sandbox, name } = program
  dispatcher.request(tenant, sandbox, { kind: 'load' }, now, (reply) =>
    sandbox.call(name, 'exportState', null, dispatcher.moment(now), (called) =>
      reply(called.spentNs, (at) => {
        tenant.log.take(called.logs, called.logsDropped, at)
        done(called.ok ? judge(called.value, program) : refusal(called.failure), at)
      }),
    ),
  )
}

function judge(value: unknown, { limits }: Program): Outcome<ExportedState> {
  const [problem] = checkResult.exportState(value)
  if (problem !== undefined) return stateRefusal(`exportState: ${formatProblem(problem)}`)
  const bytes = Buffer.byteLength(JSON.stringify(value))
  if (bytes > limits.stateBytes)
    return stateRefusal(`exportState: ${bytes} bytes, expected at most ${limits.stateBytes}`)
  return { ok: true, value: value as ExportedState }
}

/** Whether a program says that it reads a state. */
export function reads(program: Program, state: ExportedState): boolean {
  const { importsState, stateVersions } = program.hooks
  return importsState && (stateVersions === undefined || stateVersions.includes(state.version))
}

/** State that could not be moved. */
export function stateRefusal(reason: string): Extract<Outcome, { ok: false }> {
  return { ok: false, failure: { code: 'state', reason } }
}
