/**
 * The way from one configuration to another: declare, diff, apply. The one idea: what both say in the same words is
 * left alone; everything else goes and comes in one transaction, in an order in which nothing is named before it is
 * there, so that the router is afterwards as if it had been started with the new file.
 *
 * What cannot change while packets flow (ports, the name, where operators come in) is listed, not done.
 */
import type { Change } from '../../engine/index.ts'
import { planClasses } from './class-plan.ts'
import type { RouterConfig } from './config.ts'
import { type AddRoute, Exits, type OpenTunnel } from './exits.ts'
import { planFilters } from './filter-plan.ts'
import { isSame, textOf } from './plan-text.ts'

/** What has to be done. */
export interface Plan {
  /** One transaction of the router's own. */
  readonly changes: readonly Change[]
  /** Keys whose new value holds from the next start on. */
  readonly restart: readonly string[]
}

/** A configuration with nothing in it: what a router that has just been made is like. */
export const EMPTY_CONFIG: RouterConfig = {
  name: '',
  ports: [],
  interfaces: [],
  routes: [],
  policy: [],
  fallback: 'closed',
  plugins: [],
  trust: undefined,
  keys: {},
  state: undefined,
  punt: undefined,
  signaling: undefined,
  local: {},
  remote: undefined,
}

type AddAddress = Extract<Change, { do: 'add-address' }>

const RESTART_KEYS = [
  ['name', (each: RouterConfig) => each.name],
  ['ports', (each: RouterConfig) => each.ports],
  ['state', (each: RouterConfig) => each.state],
  ['punt', (each: RouterConfig) => each.punt],
  ['signaling', (each: RouterConfig) => each.signaling],
  ['fallback', (each: RouterConfig) => each.fallback],
  ['control.local', (each: RouterConfig) => each.local],
  ['control.remote', (each: RouterConfig) => each.remote],
] as const

/** What leads from `before` to `after`. Plugins are planned apart (plugin-plan.ts). */
export function planChanges(before: RouterConfig, after: RouterConfig): Plan {
  const changed = RESTART_KEYS.filter(([, pick]) => !isSame(pick(before), pick(after)))
  const addresses = planSet(addressesOf(before), addressesOf(after), textOf, textOf)
  const [left, led] = [new Exits(before), new Exits(after)]
  const routes = planSet(routesOf(before), routesOf(after), left.ofRoute, led.ofRoute)
  const tunnels = planSet(tunnelsOf(before), tunnelsOf(after), left.ofTunnel, led.ofTunnel)
  const classes = planClasses(before.policy, after.policy)
  const touched = new Set([...tunnels.gone, ...tunnels.come].map((each) => each.name))
  const filters = planFilters(before.policy, after.policy, touched)
  const changes: Change[] = [
    ...filters.gone,
    ...classes.gone,
    ...tunnels.gone.map(({ name }): Change => ({ do: 'close-tunnel', name })),
    ...routes.gone.map(({ prefix }): Change => ({ do: 'remove-route', prefix })),
    ...addresses.gone.map(({ port, address }): Change => ({ do: 'remove-address', port, address })),
    ...addresses.come,
    ...routes.come,
    ...tunnels.come,
    ...classes.come,
    ...filters.come,
  ]
  return { changes, restart: changed.map(([key]) => key) }
}

interface SetPlan<Item> {
  readonly gone: readonly Item[]
  readonly come: readonly Item[]
}

/** What of `before` is not in `after` as it is, and the other way round, going by their texts. */
function planSet<Item>(
  before: readonly Item[],
  after: readonly Item[],
  textBefore: (item: Item) => string,
  textAfter: (item: Item) => string,
): SetPlan<Item> {
  const [had, has] = [new Set(before.map(textBefore)), new Set(after.map(textAfter))]
  return {
    gone: before.filter((each) => !has.has(textBefore(each))),
    come: after.filter((each) => !had.has(textAfter(each))),
  }
}

function addressesOf({ interfaces }: RouterConfig): AddAddress[] {
  return interfaces.flatMap(({ name, addresses }) =>
    addresses.map(({ address, prefixLength }) => ({
      do: 'add-address',
      port: name,
      address: `${address}/${prefixLength}`,
    })),
  )
}

function routesOf({ routes }: RouterConfig): AddRoute[] {
  return routes.map(({ prefix, target, cost }) => ({ do: 'add-route', prefix, target, cost }))
}

function tunnelsOf({ policy }: RouterConfig): OpenTunnel[] {
  return policy.filter((each): each is OpenTunnel => each.do === 'open-tunnel')
}
