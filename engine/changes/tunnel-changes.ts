/** Opening and closing tunnels as steps of a transaction. */
import type { Change } from '../control.ts'
import { sourceAddress } from '../port.ts'
import { ROUTE_CONNECTED, ROUTE_VIA } from '../routing/route-table.ts'
import type { Reach } from '../tunnels/tunnel-request.ts'
import type { ChangeContext, Step } from './step.ts'

type Open = Extract<Change, { do: 'open-tunnel' }>
type Close = Extract<Change, { do: 'close-tunnel' }>

export function openTunnel(context: ChangeContext, owner: number, change: Open, place: string): Step {
  const { tunnels } = context.stages
  const resolver = { reach: (destination: number) => reach(context, destination) }
  const tunnel = tunnels.open(change.tunnel, resolver, `${place}.tunnel`)
  try {
    context.names.bind(owner, 'tunnel', change.name, tunnel, `${place}.name`)
  } catch (error) {
    tunnels.close(tunnel)
    throw error
  }
  return {
    undo: () => {
      context.names.unbind(owner, 'tunnel', change.name, place)
      tunnels.close(tunnel)
    },
  }
}

/** The name goes at once, the tunnel when the transaction holds and its last flow has left it. */
export function closeTunnel(context: ChangeContext, owner: number, change: Close, place: string): Step {
  const tunnel = context.names.unbind(owner, 'tunnel', change.name, `${place}.name`)
  return {
    undo: () => context.names.bind(owner, 'tunnel', change.name, tunnel, place),
    settle: () => context.stages.tunnels.close(tunnel),
  }
}

function reach(context: ChangeContext, destination: number): Reach | undefined {
  const { routes, ports } = context.stages
  const route = routes.lookup(destination)
  if (route < 0) return undefined
  const connected = routes.kind[route] === ROUTE_CONNECTED
  if (!connected && routes.kind[route] !== ROUTE_VIA) return undefined
  const port = ports[routes.port[route]]
  const source = sourceAddress(port, connected ? destination : routes.gateway[route])
  return source === 0 ? undefined : { source, mtuBytes: port.mtu, connected }
}
