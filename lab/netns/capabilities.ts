/** What labs of real hosts can do, and what they cannot, feature by feature. */
import type { Capabilities, Refusal } from '../backend.ts'
import type { Lab } from '../file/index.ts'
import { MAX_PING_RATE } from './client-tool.ts'

const MAX_CONTENT_BYTES = 4e9

export const CAPABILITIES: Capabilities = {
  epoch: "real hosts live by this machine's calendar; leave epoch out",
  rootseed: true,
  hosts: true,
  'host-routes': true,
  'virtual-hosts': true,
  'host-agent': true,
  'client-http': true,
  'client-http-keep-alive': true,
  'client-tcp': true,
  'client-udp': true,
  'client-ping': true,
  'client-from': true,
  'service-http': true,
  'service-tcp': true,
  'service-udp': true,
  routers: true,
  'router-routes': true,
  'router-policy': true,
  'router-plugins': true,
  'link-rate': true,
  'link-delay': true,
  'link-jitter': true,
  'link-loss': true,
  'link-reorder': true,
  'link-duplicate': true,
  'link-corrupt': true,
  'link-mtu': true,
  'link-queue': true,
  'event-fail': true,
  'event-recover': true,
  'event-cut': true,
  'event-heal': true,
  'event-set': true,
  'event-load': true,
  'event-upgrade': true,
  'event-unload': true,
  'event-kill': true,
}

/** What a link does to frames is done by a router at one of its ends. */
const FAULTS = ['rate', 'delay', 'jitter', 'loss', 'reorder', 'duplicate', 'corrupt', 'queue'] as const

/** What depends on more than one value. */
export function refusals(lab: Lab): readonly Refusal[] {
  return [...linkRefusals(lab), ...hostRefusals(lab)]
}

function linkRefusals(lab: Lab): Refusal[] {
  const isRouter = (name: string) => lab.nodes.some((node) => node.name === name && node.kind === 'router')
  return lab.links.flatMap((link, index) => {
    if (link.endpoints.some(({ node }) => isRouter(node))) return []
    const asked: Readonly<Record<(typeof FAULTS)[number], boolean>> = {
      rate: link.rateBps !== undefined,
      delay: link.delayNs > 0,
      jitter: link.jitterNs > 0,
      loss: link.loss > 0,
      reorder: link.reorder > 0,
      duplicate: link.duplicate > 0,
      corrupt: link.corrupt > 0,
      queue: link.queuePackets !== undefined || link.queueBytes !== undefined,
    }
    return FAULTS.filter((fault) => asked[fault]).map((fault) => ({
      path: ['links', index, fault],
      message:
        'backend netns cannot do this on a link between hosts: it is done by a router at one of its ends',
    }))
  })
}

function hostRefusals(lab: Lab): Refusal[] {
  return lab.nodes.flatMap((node) => {
    if (node.kind !== 'host') return []
    const path = ['nodes', node.name]
    const clients = node.clients.flatMap(({ protocol, ratePerSecond = 1 }, index): Refusal[] =>
      protocol === 'ping' && ratePerSecond > MAX_PING_RATE
        ? [
            {
              path: [...path, 'clients', index, 'rate'],
              message: `backend netns pings at most ${MAX_PING_RATE}/s`,
            },
          ]
        : [],
    )
    const services = node.services.flatMap(({ protocol, bytes = 0 }, index): Refusal[] =>
      protocol === 'http' && bytes > MAX_CONTENT_BYTES
        ? [
            {
              path: [...path, 'services', index, 'bytes'],
              message: 'backend netns serves at most 4G a request',
            },
          ]
        : [],
    )
    return [...clients, ...services]
  })
}
