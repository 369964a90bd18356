/** Three policies as plugins: bodies of `setup(router, config)`, of which the examples are made later. */

/** Each new flow to the next server; the place in the round moves with the state. */
export const ROUND_ROBIN = `
  const tunnels = config.servers.map((to) => router.tunnels.open({ to }))
  let next = 0
  router.flows.claim({ to: config.service, protocol: 'tcp' }, () => {
    const tunnel = tunnels[next++ % tunnels.length]
    return tunnel ? { tunnel, idle: '60s' } : { drop: 'no-server' }
  })
  return {
    stateVersions: [1],
    exportState: () => ({ version: 1, next }),
    importState: (state) => { next = state.next },
  }
`

/**
 * Rendezvous hashing (Thaler, Ravishankar 1998): the server with the highest score for the client's address; when the
 * set of servers changes by a message, only the flows of the servers that go or come move.
 */
export const CONSISTENT_HASH = `
  const open = new Map()
  const score = (client, server) => {
    let hash = client ^ 0x9e3779b9
    for (let i = 0; i < server.length; i++) hash = Math.imul(hash ^ server.charCodeAt(i), 0x01000193)
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x2c1b3c6d)
    return (hash ^ (hash >>> 12)) >>> 0
  }
  const set = (servers) => {
    for (const [to, tunnel] of open) if (!servers.includes(to)) { router.tunnels.close(tunnel); open.delete(to) }
    for (const to of servers) if (!open.has(to)) open.set(to, router.tunnels.open({ to }))
  }
  set(config.servers)
  router.flows.claim({ to: config.service }, (flow) => {
    let best, highest = -1
    for (const [to, tunnel] of open) {
      const each = score(flow.source, to)
      if (each > highest) { highest = each; best = tunnel }
    }
    return best ? { tunnel: best } : { drop: 'no-server' }
  })
  router.messages.on('servers', (body) => { set(body); return open.size },
    { type: 'array', maxItems: 64, items: { type: 'string', maxLength: 15 } })
`

/** One server by day, another by night, by the calendar (UTC). */
export const TIME_OF_DAY = `
  const day = router.tunnels.open({ to: config.day })
  const night = router.tunnels.open({ to: config.night })
  router.flows.claim({ to: config.service }, () => {
    const hour = Math.floor(router.clock() / 3600e3) % 24
    return { tunnel: hour >= 8 && hour < 20 ? day : night }
  })
`
