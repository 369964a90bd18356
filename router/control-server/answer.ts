/**
 * From a request to its answer: who may, whether the parameters are right, what it does, what is told of it. The one
 * idea: whatever happens is one text to be sent; nothing that a request can cause gets past here.
 */
import { formatProblem } from '../../execution-env/contract/index.ts'
import { ControlError, controlErrorOf } from '../control/errors.ts'
import { formatError, formatResult, type Request } from '../control/json-rpc.ts'
import { MAX_ANSWER_BYTES } from '../control/limits.ts'
import { checkParams, METHODS, type MethodName, methodNamed } from '../control/methods.ts'
import type { AuditActor } from '../state/audit-log.ts'
import type { AuditGate } from './audit-gate.ts'
import { type Context, HANDLERS, type Handled } from './handlers.ts'
import type { Peer } from './peer.ts'

/** Carries a request out and answers it. Never rejects. */
export async function answer(request: Request, context: Context, audit: AuditGate): Promise<string> {
  const { id, method, params } = request
  const name = methodNamed(method)
  try {
    if (name === undefined)
      throw new ControlError('unknown-method', `there is no method ${JSON.stringify(method)}`)
    authorize(name, context.peer)
    checkForm(name, params)
    const handled = await HANDLERS[name](context, params)
    tell(name, request, context.peer, handled, audit)
    const text = formatResult(id, handled.result)
    if (Buffer.byteLength(text) > MAX_ANSWER_BYTES)
      throw new ControlError('limit', `more than ${MAX_ANSWER_BYTES} bytes; ask for less`)
    return text
  } catch (error) {
    const refusal = controlErrorOf(error)
    if (refusal.code === 'internal') process.emitWarning(error instanceof Error ? error : String(error))
    if (name !== undefined) tell(name, request, context.peer, refusal, audit)
    context.counters.refused++
    return formatError(id, refusal)
  }
}

function authorize(name: MethodName, { roles }: Peer): void {
  const { role } = METHODS[name]
  if (roles.has(role)) return
  const held = roles.size === 0 ? 'none' : [...roles].join(', ')
  throw new ControlError('forbidden', `${name} needs the role ${role}; yours: ${held}`)
}

function checkForm(name: MethodName, params: Request['params']): void {
  const problems = checkParams(name)(params)
  const [problem] = problems
  if (problem === undefined) return
  throw new ControlError('invalid', formatProblem(problem), {
    place: problem.place,
    problems: problems.map(({ place, reason }) => ({ place, message: reason })),
  })
}

/** Notes what was changed, and what was refused to somebody who may not. */
function tell(
  name: MethodName,
  { params }: Request,
  peer: Peer,
  outcome: Handled | ControlError,
  audit: AuditGate,
): void {
  const isRefused = outcome instanceof ControlError
  if (!METHODS[name].audited && !(isRefused && outcome.code === 'forbidden')) return
  const id = typeof params['id'] === 'string' ? { id: params['id'] } : {}
  const event = { actor: actorOf(peer), what: name, ...id }
  if (isRefused) audit.write({ ...event, outcome: 'refused', code: outcome.causeCode ?? outcome.code })
  else audit.write({ ...event, outcome: 'done', ...outcome.told })
}

function actorOf({ via, name, serial, address }: Peer): AuditActor {
  return {
    via,
    name,
    ...(serial === undefined ? {} : { serial }),
    ...(address === undefined ? {} : { address }),
  }
}
