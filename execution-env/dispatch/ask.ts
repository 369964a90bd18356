/**
 * What a program may ask and wait for while it runs. The one idea: the answer is made from the engine as it is at that
 * moment, after the same three steps as for a command: schema, authorization, and only then the engine.
 */
import { type Engine, EngineError, type OwnedFlow } from '../../engine/index.ts'
import { parseIpv4Address } from '../../engine/wire/index.ts'
import { checkQuestion, type FlowPage, type Questions, type RouteView } from '../contract/api/index.ts'
import { formatProblem, type JsonValue } from '../contract/index.ts'
import type { HostFunction } from '../sandbox/index.ts'
import { requireAddress } from './authorizer.ts'
import { ASKS_PER_SECOND, type Program } from './program.ts'
import type { Tenant } from './tenant.ts'

/** Flows told at a time. */
const PAGE_FLOWS = 256
const ROWS_MAX = 10_000

export interface AskContext {
  readonly engine: Engine
  readonly tenant: Tenant
  /** The program that asks; it is made after its functions. */
  readonly program: () => Program
  readonly now: () => number
}

type Ask<Name extends keyof Questions> = (argument: Questions[Name]['argument']) => Questions[Name]['answer']

/** The functions of `LoadOptions.host`. Each throws an EngineError for what it refuses. */
export function hostFunctions(context: AskContext): Readonly<Record<keyof Questions, HostFunction>> {
  return {
    query: checked(context, 'query', (query) => askQuery(context, query)),
    route: checked(context, 'route', ({ address }) => askRoute(context, address)),
    flows: checked(context, 'flows', ({ after }) => askFlows(context, after)),
  }
}

function checked<Name extends keyof Questions>(
  context: AskContext,
  name: Name,
  ask: Ask<Name>,
): HostFunction {
  return (argument) => {
    // The engine waits, too.
    if (!context.program().askRate.take(context.now()))
      throw new EngineError('limit', `more than ${ASKS_PER_SECOND} questions a second`)
    const [problem] = checkQuestion[name](argument)
    if (problem !== undefined) throw new EngineError('invalid', formatProblem(problem))
    return ask(argument as unknown as Questions[Name]['argument']) as unknown as JsonValue
  }
}

function askQuery({ engine, program, now }: AskContext, query: Questions['query']['argument']) {
  if (!program().grants.mayQuery('get', query.table))
    throw new EngineError('forbidden', `${query.table} is beyond the granted query.get`, 'table')
  return engine.query.get({ ...query, limit: Math.min(query.limit ?? ROWS_MAX, ROWS_MAX) }, now())
}

function askRoute({ engine, program }: AskContext, address: string): RouteView | null {
  requireAddress(program().grants.routesLookup, address, 'routes.lookup', 'address')
  return viewRoute(engine, parseIpv4Address(address)! >>> 0)
}

/** How the router would send to an address, as plugins see it. */
export function viewRoute(engine: Engine, address: number): RouteView | null {
  const row = engine.lookupRoute(address)
  if (row === undefined) return null
  const { kind, via, port, cost } = row
  const name = engine.portNames[port]
  return {
    kind,
    cost,
    ...(via === undefined ? {} : { nextHop: via }),
    ...(name === undefined ? {} : { port: name }),
  } as RouteView
}

function askFlows({ engine, tenant, program }: AskContext, after: number): FlowPage {
  const { tunnelOfEngine } = program()
  const rows: number[][] = []
  const visit = (flow: Readonly<OwnedFlow>): void => {
    const { source, destination, sourcePort, destinationPort, protocol, packets, bytes } = flow
    const tunnel = tunnelOfEngine.get(flow.tunnel) ?? 0
    const ports = ((sourcePort << 16) | destinationPort) >>> 0
    rows.push([source, destination, ports, protocol, tunnel, packets, bytes, flow.createdNs, flow.lastSeenNs])
  }
  const next = engine.owned.page(tenant.id, after, PAGE_FLOWS, visit)
  return { rows, next }
}
