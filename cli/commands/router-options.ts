/**
 * What the commands that speak to a router share: which router, with which certificate, and how its refusals are told.
 */
import { loadCredential, loadTrustStore } from '../../execution-env/certificates/index.ts'
import type { JsonValue } from '../../execution-env/contract/index.ts'
import {
  type ControlClient,
  ControlError,
  connectRouter,
  type RemoteIdentity,
  type Role,
  routerAddress,
} from '../../router/control-client/index.ts'
import { type Call, CommandError, type OptionSpec, UsageError } from '../command.ts'
import { tellingRefusals } from './refusals.ts'

/** Which router, and who asks. */
export const ROUTER_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  router: {
    value: 'NAME|URL',
    describes: 'a router of this machine (r1, LAB/r1), or wss://HOST:PORT; default: the only one here',
  },
  cert: { value: 'C', describes: "an operator's certificate, for routers elsewhere" },
  key: { value: 'K', describes: 'its private key' },
  trust: { value: 'T', describes: 'whom to believe: a folder with ca.crt and crl.pem, or one file' },
}

/**
 * Runs something with a session, and ends the session. Refusals of the router become failures of the command.
 * @param role the least that it needs
 */
export function withRouter<Result>(
  call: Call,
  role: Role,
  work: (client: ControlClient) => Promise<Result>,
): Promise<Result> {
  return tellingRefusals(async () => {
    let client: ControlClient | undefined
    try {
      const address = await routerAddress(call.option('router'))
      const identity = address.kind === 'remote' ? identityOf(call) : undefined
      client = await connectRouter({ address, role, ...(identity === undefined ? {} : { identity }) })
      return await work(client)
    } catch (error) {
      throw asCommandError(error)
    } finally {
      client?.close()
    }
  })
}

function identityOf(call: Call): RemoteIdentity {
  const [cert, key, trust] = ['cert', 'key', 'trust'].map((name) => {
    const value = call.option(name)
    if (value === undefined) throw new UsageError(`a router elsewhere needs --${name}`)
    return value
  }) as [string, string, string]
  return { credential: loadCredential(cert, key), trust: loadTrustStore(trust) }
}

/** A refusal of the router as a failure of the command; other errors are left alone. */
export function asCommandError(error: unknown): unknown {
  if (!(error instanceof ControlError)) return error
  const { code, causeCode, message, problems } = error
  // A list of places in a file speaks for itself; of one place the message says all.
  const isList = problems.length > 0 && /:\d+:\d+$/.test(problems[0]!.place)
  return new CommandError(causeCode ?? code, message, isList ? problems : undefined)
}

/** A whole number within bounds, of an option. @throws UsageError */
export function numberOption(call: Call, name: string, min: number, max: number): number | undefined {
  const text = call.option(name)
  if (text === undefined) return undefined
  const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= min && value <= max))
    throw new UsageError(`--${name}: expected a whole number from ${min} to ${max}, got ${text}`)
  return value
}

/** A JSON text of an argument. @throws UsageError */
export function jsonArgument(name: string, text: string | undefined): JsonValue | undefined {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    throw new UsageError(`${name}: expected JSON, such as '{"a": 1}', got ${text}`)
  }
}
