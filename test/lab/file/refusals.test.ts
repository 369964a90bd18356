import { expect } from 'chai'
import { describe, it } from 'mocha'
import { changed, refusalOf, SAMPLE } from './sample.ts'

/** What is wrong, the change that makes it so, and the whole message. */
type Row = readonly [what: string, text: string, message: string]

const HOST = 'c1:\n    kind: host'
const POLICY = 'filters: [ { to: 198.18.0.0/15, action: { tunnel: s1 } } ]'
const action = (text: string) => changed('{ tunnel: s1 } }', `${text} }`)
const classes = (text: string) => changed(POLICY, `classes: [ ${text} ]`)
const event = (text: string) => changed('{ at: 5s, fail: s1 }', text)
const expectation = (path: string, is: string) =>
  changed('{ path: "clients.c1[0].failed", is: "== 0" }', `{ path: ${path}, is: ${is} }`)
const client = (text: string) => changed('rate: 50/s, count: 1000, bytes: 10k, start: 1s', text)

const SYNTAX: readonly Row[] = [
  ['an empty file', '', 'lab.yaml:1:1: expected a lab: a mapping with name and nodes, got null'],
  ['a list', '- 1', 'lab.yaml:1:1: expected a lab: a mapping with name and nodes, got a list'],
  ['a duplicate key', `${SAMPLE}name: again\n`, 'lab.yaml:28:1: name: duplicate key, first given on line 1'],
  [
    'two nodes of one name',
    changed('  s1:\n', '  c1:\n'),
    'lab.yaml:15:3: nodes.c1: duplicate key, first given on line 3',
  ],
  ['an unknown anchor', 'name: *x', 'lab.yaml:1:7: name: unknown anchor x'],
  ['an anchor in itself', 'a: &a [ *a ]', 'lab.yaml:1:9: a[0]: anchor that contains itself: a'],
  ['a list as key', '[1]: 2', 'lab.yaml:1:1: expected a plain text as key'],
  ['a forbidden key', '__proto__: 2', 'lab.yaml:1:1: expected a plain text as key, not __proto__'],
  ['a tag', 'is: != 3', 'lab.yaml:1:5: Unresolved tag: !=; put the text in quotes when it begins with !'],
]

const FORM: readonly Row[] = [
  [
    'an unknown key',
    changed('gateway:', 'gatway:'),
    'lab.yaml:6:5: nodes.c1.gatway: unknown key; did you mean gateway?',
  ],
  [
    'an unknown key like none',
    client('zzzzzz: 1'),
    'lab.yaml:8:49: nodes.c1.clients[0].zzzzzz: unknown key; expected protocol, to, from, rate, count, concurrency, bytes, start, timeout or keepAlive',
  ],
  [
    'a missing name',
    SAMPLE.slice(13),
    'lab.yaml:1:1: missing key name: expected a name of lower-case letters, digits and hyphens, at most 31, beginning with a letter',
  ],
  [
    'a missing kind',
    changed(HOST, 'c1:'),
    'lab.yaml:4:5: nodes.c1: missing key kind: expected host or router',
  ],
  [
    'an unknown kind',
    changed('kind: router', 'kind: ruoter'),
    'lab.yaml:10:11: nodes.r1.kind: expected host or router, got "ruoter"; did you mean router?',
  ],
  [
    'an unknown protocol',
    changed('protocol: http, to', 'protocol: htp, to'),
    'lab.yaml:8:21: nodes.c1.clients[0].protocol: expected http, tcp, udp or ping, got "htp"; did you mean http?',
  ],
  [
    'a key of another protocol',
    changed('protocol: http, to', 'protocol: tcp, keepAlive: true, to'),
    'lab.yaml:8:26: nodes.c1.clients[0].keepAlive: unknown key; expected protocol, to, from, rate, count, concurrency, bytes, start or timeout',
  ],
  [
    'a name with capitals',
    changed('  s1:\n', '  S1:\n'),
    'lab.yaml:15:3: nodes.S1: expected a name of lower-case letters, digits and hyphens, at most 31, beginning with a letter, got "S1"',
  ],
  [
    'an address out of range',
    changed('10.0.1.2/24', '10.0.1.256/24'),
    'lab.yaml:5:24: nodes.c1.addresses.eth0: expected an IPv4 address with its prefix length such as 10.0.1.2/24, got "10.0.1.256/24"',
  ],
  [
    'a prefix length out of range',
    changed('10.0.1.2/24', '10.0.1.2/33'),
    'lab.yaml:5:24: nodes.c1.addresses.eth0: expected an IPv4 address with its prefix length such as 10.0.1.2/24, got "10.0.1.2/33"',
  ],
  [
    'a million million requests',
    client('count: 1e12'),
    'lab.yaml:8:56: nodes.c1.clients[0].count: expected a whole number from 1 to 10000000, got 1000000000000',
  ],
  [
    'no request at all',
    client('count: 0'),
    'lab.yaml:8:56: nodes.c1.clients[0].count: expected a whole number from 1 to 10000000, got 0',
  ],
  [
    'infinitely many',
    client('count: .inf'),
    'lab.yaml:8:56: nodes.c1.clients[0].count: expected a whole number from 1 to 10000000, got Infinity',
  ],
  [
    'a frequency without unit',
    client('rate: 50'),
    'lab.yaml:8:55: nodes.c1.clients[0].rate: expected a frequency such as 50/s or 10/m, got 50',
  ],
  [
    'a duration without unit',
    changed('delay: 2ms', 'delay: 2'),
    'lab.yaml:22:66: links[0].delay: expected a duration such as 500us, 2ms, 5s, 10m or 1h, got 2',
  ],
  [
    'a negative duration',
    changed('delay: 2ms', 'delay: -2ms'),
    'lab.yaml:22:66: links[0].delay: expected a duration such as 500us, 2ms, 5s, 10m or 1h, got "-2ms"',
  ],
  [
    'a rate with the wrong unit',
    changed('100Mbps', '100MB/s'),
    'lab.yaml:22:50: links[0].rate: expected a rate such as 64kbps, 10Mbps or 1Gbps, got "100MB/s"',
  ],
  [
    'one endpoint',
    changed('[ "c1:eth0", "r1:eth0" ]', '[ "c1:eth0" ]'),
    'lab.yaml:22:18: links[0].endpoints: expected two endpoints such as [ "c1:eth0", "r1:eth0" ]',
  ],
  [
    'an MTU beyond jumbo frames',
    changed('mtu: 1520', 'mtu: 9217'),
    'lab.yaml:23:49: links[1].mtu: expected a whole number from 68 to 9216, got 9217',
  ],
  [
    'no event',
    event('{ at: 5s }'),
    'lab.yaml:25:5: events[0]: expected an event: at and exactly one of fail, recover, cut, heal, set, load, upgrade, unload, kill',
  ],
  [
    'two events in one',
    event('{ at: 5s, fail: s1, recover: s1 }'),
    'lab.yaml:25:5: events[0]: expected an event: at and exactly one of fail, recover, cut, heal, set, load, upgrade, unload, kill, got a mapping',
  ],
]

const NAMES: readonly Row[] = [
  [
    'a link to a node that is not there',
    changed('"s1:eth0"', '"s2:eth0"'),
    `lab.yaml:17:18: nodes.s1.addresses.eth0: no link: expected s1:eth0 among the endpoints of a link
lab.yaml:18:14: nodes.s1.gateway: not reachable: no neighbour of s1 has the address 10.0.2.1
lab.yaml:23:31: links[1].endpoints[1]: no node s2; did you mean s1?`,
  ],
  [
    'a link to an interface that is not there',
    changed('"s1:eth0"', '"s1:eth1"'),
    `lab.yaml:17:18: nodes.s1.addresses.eth0: no link: expected s1:eth0 among the endpoints of a link
lab.yaml:18:14: nodes.s1.gateway: not reachable: no neighbour of s1 has the address 10.0.2.1
lab.yaml:23:31: links[1].endpoints[1]: no interface eth1: expected an address in nodes.s1.addresses.eth1; did you mean eth0?`,
  ],
  [
    'an endpoint used twice',
    changed('links:\n', 'links:\n  - { endpoints: [ "c1:eth0", "r1:eth0" ] }\n'),
    `lab.yaml:23:20: links[1].endpoints[0]: c1:eth0 is already an end of c1:eth0-r1:eth0
lab.yaml:23:31: links[1].endpoints[1]: r1:eth0 is already an end of c1:eth0-r1:eth0`,
  ],
  [
    'two links of one name',
    SAMPLE.replace('{ endpoints: [ "c1', '{ name: a, endpoints: [ "c1').replace(
      '{ endpoints: [ "r1',
      '{ name: a, endpoints: [ "r1',
    ),
    'lab.yaml:23:13: links[1].name: there is another link a',
  ],
  [
    'an event for a node that is not there',
    event('{ at: 5s, fail: s11 }'),
    'lab.yaml:25:21: events[0].fail: no node s11; did you mean s1?',
  ],
  [
    'an event for a link that is not there',
    event('{ at: 5s, cut: "s1:eth9" }'),
    "lab.yaml:25:20: events[0].cut: no link s1:eth9: expected a link's name or one of its endpoints; did you mean s1:eth0?",
  ],
  [
    'a load for a router',
    event('{ at: 5s, set: { host: r1, load: 1 } }'),
    'lab.yaml:25:28: events[0].set.host: expected a host, but r1 is a router',
  ],
  [
    'an event after the end',
    `duration: 4s\n${SAMPLE}`,
    'lab.yaml:26:11: events[0].at: expected a time before the end of the lab (duration)',
  ],
  [
    'a source address of another',
    client('from: 10.0.1.1'),
    'lab.yaml:8:55: nodes.c1.clients[0].from: expected an own address (10.0.1.2), got 10.0.1.1',
  ],
  [
    'a link from a node to itself',
    changed('"r1:eth1", "s1:eth0"', '"r1:eth1", "r1:eth0"').replace(
      '"c1:eth0", "r1:eth0"',
      '"c1:eth0", "s1:eth0"',
    ),
    `lab.yaml:5:24: nodes.c1.addresses.eth0: not in the subnet of its link: s1:eth0 is in 10.0.2.0/24
lab.yaml:6:14: nodes.c1.gateway: not reachable: no neighbour of c1 has the address 10.0.1.1
lab.yaml:11:24: nodes.r1.addresses.eth0: not in the subnet of its link: r1:eth1 is in 10.0.2.0/24
lab.yaml:11:24: nodes.r1.addresses.eth0: 10.0.1.0/24 overlaps 10.0.1.0/24 at c1:eth0, which is another link
lab.yaml:11:43: nodes.r1.addresses.eth1: not in the subnet of its link: r1:eth0 is in 10.0.1.0/24
lab.yaml:17:24: nodes.s1.addresses.eth0: not in the subnet of its link: c1:eth0 is in 10.0.1.0/24
lab.yaml:17:24: nodes.s1.addresses.eth0: 10.0.2.0/24 overlaps 10.0.2.0/24 at r1:eth1, which is another link
lab.yaml:18:14: nodes.s1.gateway: not reachable: no neighbour of s1 has the address 10.0.2.1
lab.yaml:23:18: links[1].endpoints: expected two nodes, got r1 at both ends`,
  ],
  [
    'a port beyond all',
    changed('198.18.0.80:80"', '198.18.0.80:65536"'),
    'lab.yaml:8:31: nodes.c1.clients[0].to: expected a port from 1 to 65535, got 65536',
  ],
  [
    'port 0',
    changed('198.18.0.80:80"', '198.18.0.80:0"'),
    'lab.yaml:8:31: nodes.c1.clients[0].to: expected a port from 1 to 65535, got 0',
  ],
  [
    'a rate and concurrency',
    client('rate: 1/s, concurrency: 2'),
    'lab.yaml:8:73: nodes.c1.clients[0].concurrency: expected either rate or concurrency, not both',
  ],
  [
    'a datagram that is none',
    changed(
      'protocol: http, to: "198.18.0.80:80", rate: 50/s, count: 1000, bytes: 10k',
      'protocol: udp, to: "198.18.0.80:80", count: 1, bytes: 65508',
    ),
    'lab.yaml:8:65: nodes.c1.clients[0].bytes: expected a size of at most 65507, got 65508',
  ],
  [
    'two plugins of one id',
    changed('    policy:', '    plugins: [ { plugin: a, id: p }, { plugin: b, id: p } ]\n    policy:'),
    'lab.yaml:12:55: nodes.r1.plugins[1].id: there is another plugin with id p',
  ],
  [
    'two services on one port',
    changed('services: [', 'services: [ { protocol: tcp, port: 80 },'),
    'lab.yaml:20:70: nodes.s1.services[1].port: tcp port 80 already has a service',
  ],
  [
    'a plugin from two places',
    changed('    policy:', '    plugins: [ { plugin: a, bundle: b } ]\n    policy:'),
    'lab.yaml:12:16: nodes.r1.plugins[0]: expected exactly one of plugin and bundle',
  ],
]

const ADDRESSES: readonly Row[] = [
  [
    'an address used twice',
    changed('{ eth0: 10.0.2.2/24 }', '{ eth0: [ 10.0.2.2/24, 10.0.2.1/24 ] }'),
    'lab.yaml:17:39: nodes.s1.addresses.eth0[1]: 10.0.2.1 is already an address of r1:eth1\nlab.yaml:18:14: nodes.s1.gateway: expected a neighbour, but 10.0.2.1 is an address of s1 itself',
  ],
  [
    'an address outside its link',
    changed('eth1: 10.0.2.1/24', 'eth1: 10.0.2.1/25'),
    `lab.yaml:11:43: nodes.r1.addresses.eth1: not in the subnet of its link: s1:eth0 is in 10.0.2.0/24
lab.yaml:17:24: nodes.s1.addresses.eth0: not in the subnet of its link: r1:eth1 is in 10.0.2.0/25`,
  ],
  [
    'one subnet at two links',
    changed('eth1: 10.0.2.1/24', 'eth1: [ 10.0.2.1/24, 10.0.1.9/25 ]'),
    `lab.yaml:11:58: nodes.r1.addresses.eth1[1]: not in the subnet of its link: s1:eth0 is in 10.0.2.0/24
lab.yaml:11:58: nodes.r1.addresses.eth1[1]: 10.0.1.0/25 overlaps 10.0.1.0/24 at c1:eth0, which is another link`,
  ],
  [
    'a network address',
    changed('{ eth0: 10.0.2.2/24 }', '{ eth0: [ 10.0.2.2/24, 10.0.2.0/24 ] }'),
    'lab.yaml:17:39: nodes.s1.addresses.eth0[1]: expected an address of a host, but 10.0.2.0 is the network address of 10.0.2.0/24',
  ],
  [
    'a broadcast address',
    changed('{ eth0: 10.0.2.2/24 }', '{ eth0: [ 10.0.2.2/24, 10.0.2.255/24 ] }'),
    'lab.yaml:17:39: nodes.s1.addresses.eth0[1]: expected an address of a host, but 10.0.2.255 is the broadcast address of 10.0.2.0/24',
  ],
  [
    'a gateway nobody has',
    changed('gateway: 10.0.1.1', 'gateway: 10.0.1.9'),
    'lab.yaml:6:14: nodes.c1.gateway: not reachable: no neighbour of c1 has the address 10.0.1.9',
  ],
  [
    'itself as gateway',
    changed('gateway: 10.0.1.1', 'gateway: 10.0.1.2'),
    'lab.yaml:6:14: nodes.c1.gateway: expected a neighbour, but 10.0.1.2 is an address of c1 itself',
  ],
  [
    'a route to nowhere',
    changed('    policy:', '    routes: [ { to: 10.9.0.0/16 } ]\n    policy:'),
    'lab.yaml:12:15: nodes.r1.routes[0]: expected exactly one of via and blackhole',
  ],
  [
    'a route given twice',
    changed(
      '    policy:',
      '    routes: [ { to: 10.9.0.0/16, via: 10.0.2.2 }, { to: 10.9.1.2/16, blackhole: true } ]\n    policy:',
    ),
    'lab.yaml:12:57: nodes.r1.routes[1].to: 10.9.0.0/16 is already given',
  ],
  [
    'a next hop that is behind a route',
    changed(
      '    policy:',
      '    routes: [ { to: 10.0.2.0/25, via: 10.0.1.2 }, { to: 10.9.0.0/16, via: 10.0.2.2 } ]\n    policy:',
    ),
    'lab.yaml:12:75: nodes.r1.routes[1].via: 10.0.2.2 is itself behind a route',
  ],
  [
    'two addresses of a router in one network',
    changed('eth1: 10.0.2.1/24', 'eth1: [ 10.0.2.1/24, 10.0.2.3/24 ]'),
    'lab.yaml:11:58: nodes.r1.addresses.eth1[1]: expected another network: the router has an address in 10.0.2.0/24 already',
  ],
  [
    'a route for its own network',
    changed(
      '    policy:',
      '    routes: [ { to: 10.0.2.0/24, via: 10.0.1.2 }, { to: 10.0.2.255, blackhole: true } ]\n    policy:',
    ),
    `lab.yaml:12:21: nodes.r1.routes[0].to: the router reaches 10.0.2.0/24 already: it has an address there
lab.yaml:12:57: nodes.r1.routes[1].to: the router reaches 10.0.2.255/32 already: it has an address there`,
  ],
  [
    'an interface within a virtual host',
    changed('virtualHosts: [ 198.18.0.0/15 ]', 'virtualHosts: [ 10.0.0.0/15 ]'),
    'lab.yaml:19:21: nodes.s1.virtualHosts[0]: 10.0.0.0/15 contains the address 10.0.1.1 of r1:eth0',
  ],
  [
    'an interface that is the whole virtual host',
    changed('virtualHosts: [ 198.18.0.0/15 ]', 'virtualHosts: [ 10.0.1.1/32 ]'),
    'lab.yaml:19:21: nodes.s1.virtualHosts[0]: 10.0.1.1/32 contains the address 10.0.1.1 of r1:eth0',
  ],
  [
    'an interface at the end of a virtual host',
    changed('virtualHosts: [ 198.18.0.0/15 ]', 'virtualHosts: [ 10.0.1.0/31 ]'),
    'lab.yaml:19:21: nodes.s1.virtualHosts[0]: 10.0.1.0/31 contains the address 10.0.1.1 of r1:eth0',
  ],
  [
    'a virtual host twice',
    changed('virtualHosts: [ 198.18.0.0/15 ]', 'virtualHosts: [ 198.18.0.0/15, 198.19.0.0/15 ]'),
    'lab.yaml:19:36: nodes.s1.virtualHosts[1]: 198.18.0.0/15 is already given',
  ],
  [
    'a multicast virtual host',
    changed('virtualHosts: [ 198.18.0.0/15 ]', 'virtualHosts: [ 239.0.0.0/8 ]'),
    'lab.yaml:19:21: nodes.s1.virtualHosts[0]: expected addresses of hosts, but 239.0.0.0/8 is a multicast address',
  ],
  [
    'an agent without virtual hosts',
    changed('    virtualHosts: [ 198.18.0.0/15 ]\n', '    agent: { routers: [ 10.0.2.1 ] }\n'),
    'lab.yaml:19:12: nodes.s1.agent: expected 1 to 64 virtualHosts to speak for',
  ],
  [
    'an agent whose routers are none',
    changed(
      '    services:',
      '    agent: { routers: [ 10.0.2.1, 10.0.1.2, 10.0.2.1 ], interval: 10ms }\n    services:',
    ),
    `lab.yaml:20:35: nodes.s1.agent.routers[1]: no router has the address 10.0.1.2
lab.yaml:20:45: nodes.s1.agent.routers[2]: 10.0.2.1 is already given
lab.yaml:20:67: nodes.s1.agent.interval: expected a duration from 200ms to 60s, got "10ms"`,
  ],
]

const POLICIES: readonly Row[] = [
  [
    'a tunnel that is not there',
    action('{ tunnel: s2 }'),
    'lab.yaml:14:57: nodes.r1.policy.filters[0].action.tunnel: no tunnel s2; did you mean s1?',
  ],
  [
    'two verbs',
    action('{ tunnel: s1, drop: policy }'),
    'lab.yaml:14:47: nodes.r1.policy.filters[0].action: expected exactly one of forward, drop, tunnel, decapsulate, rewrite, class, replicate or spread, got drop and tunnel',
  ],
  [
    'a modifier without its verb',
    action('{ tunnel: s1, then: forward }'),
    'lab.yaml:14:67: nodes.r1.policy.filters[0].action.then: then goes with rewrite or class, not with tunnel',
  ],
  [
    'an unknown drop reason',
    action('{ drop: polcy }'),
    'lab.yaml:14:55: nodes.r1.policy.filters[0].action.drop: no drop reason polcy; did you mean policy?',
  ],
  [
    'actions within actions without end',
    action(`${'{ replicate: [ '.repeat(8)}drop${' ] }'.repeat(8)}`),
    `lab.yaml:14:167: nodes.r1.policy.filters[0].action${'.replicate[0]'.repeat(8)}: actions nest deeper than 8`,
  ],
  [
    'a drop that is none',
    action('{ drop: none }'),
    'lab.yaml:14:55: nodes.r1.policy.filters[0].action.drop: no drop reason none',
  ],
  [
    'a tunnel to nowhere',
    changed('s1: 10.0.2.2 }', 's1: 10.7.7.7 }'),
    'lab.yaml:13:22: nodes.r1.policy.tunnels.s1: not reachable: the router has no route to 10.7.7.7',
  ],
  [
    'a tunnel to a group',
    changed('s1: 10.0.2.2 }', 's1: 239.1.1.1 }'),
    'lab.yaml:13:22: nodes.r1.policy.tunnels.s1: expected an address of a node, but 239.1.1.1 is a multicast address',
  ],
  [
    'a tunnel into a black hole',
    changed('s1: 10.0.2.2 }', 's1: 10.7.7.7 }').replace(
      '    policy:',
      '    routes: [ { to: 10.7.0.0/16, blackhole: true }, { to: 10.0.0.0/8, via: 10.0.2.2 } ]\n    policy:',
    ),
    'lab.yaml:14:22: nodes.r1.policy.tunnels.s1: not reachable: the router has no route to 10.7.7.7',
  ],
  [
    'a MAC rewritten for a host that is further away',
    changed('s1: 10.0.2.2 }', 's1: { to: 10.7.7.7, kind: mac-rewrite } }').replace(
      '    policy:',
      '    routes: [ { to: 10.7.0.0/16, via: 10.0.2.2 } ]\n    policy:',
    ),
    'lab.yaml:14:28: nodes.r1.policy.tunnels.s1.to: expected an address on a connected network for mac-rewrite, but 10.7.7.7 is further away',
  ],
  [
    'a header option for a rewritten MAC',
    changed('s1: 10.0.2.2 }', 's1: { to: 10.0.2.2, kind: mac-rewrite, ttl: 3 } }'),
    'lab.yaml:13:62: nodes.r1.policy.tunnels.s1.ttl: ttl does not go with mac-rewrite, which changes no header',
  ],
  [
    'more tunnels to one node than the engine has',
    changed(
      's1: 10.0.2.2 }',
      `s1: 10.0.2.2,${Array.from({ length: 256 }, (_, i) => `\n        t${i}: 10.0.2.2`).join(',')} }`,
    ),
    'lab.yaml:269:15: nodes.r1.policy.tunnels.t255: too many: expected at most 256 tunnels to 10.0.2.2',
  ],
  [
    'a next hop that is no neighbour',
    action('{ forward: { via: 10.7.7.7 } }'),
    'lab.yaml:14:65: nodes.r1.policy.filters[0].action.forward.via: 10.7.7.7 is on no connected network',
  ],
  [
    'a tunnel end given twice',
    changed(POLICY, 'decapsulate: [ 10.0.2.1, 10.0.2.1 ]'),
    'lab.yaml:14:32: nodes.r1.policy.decapsulate[1]: 10.0.2.1 is already given',
  ],
  [
    'a filter with the name of a tunnel end',
    changed(POLICY, 'filters: [ { name: decapsulate-10.0.1.1, action: drop } ]'),
    'lab.yaml:14:26: nodes.r1.policy.filters[0].name: names that begin with decapsulate- are taken',
  ],
  [
    'a class of the engine itself',
    classes('{ name: default, weight: 1 }'),
    'lab.yaml:14:26: nodes.r1.policy.classes[0].name: default is the class of all other packets',
  ],
  [
    'classes below classes without end',
    classes(
      Array.from(
        { length: 33 },
        (_, i) => `{ name: c${i}, weight: 1${i === 0 ? '' : `, parent: c${i - 1}`} }`,
      ).join(',\n        '),
    ),
    'lab.yaml:46:41: nodes.r1.policy.classes[32].parent: classes nest deeper than 32 levels',
  ],
  [
    'a tunnel from another',
    changed('s1: 10.0.2.2 }', 's1: { to: 10.0.2.2, from: 10.0.2.2 } }'),
    'lab.yaml:13:44: nodes.r1.policy.tunnels.s1.from: expected an own address, got 10.0.2.2',
  ],
  [
    'two filters of one name',
    changed(POLICY, 'filters: [ { name: a, action: drop }, { name: a, action: drop } ]'),
    'lab.yaml:14:53: nodes.r1.policy.filters[1].name: there is another filter a',
  ],
  [
    'a class that is not there',
    action('{ class: web }'),
    'lab.yaml:14:56: nodes.r1.policy.filters[0].action.class: no class web; the policy has none',
  ],
  [
    'a weight of zero',
    action('{ spread: [ { tunnel: s1, weight: 0 } ] }'),
    'lab.yaml:14:81: nodes.r1.policy.filters[0].action.spread[0].weight: expected a whole number from 1 to 65535, got 0',
  ],
  [
    'an empty spread',
    action('{ spread: [] }'),
    'lab.yaml:14:57: nodes.r1.policy.filters[0].action.spread: expected a list of actions with their weights',
  ],
  [
    'a port without protocol',
    changed('filters: [ { to: 198.18.0.0/15,', 'filters: [ { toPort: 80,'),
    'lab.yaml:14:18: nodes.r1.policy.filters[0].protocol: ports need protocol tcp or udp',
  ],
  [
    'a range upside down',
    changed('filters: [ { to: 198.18.0.0/15,', 'filters: [ { protocol: tcp, toPort: 90-80,'),
    'lab.yaml:14:43: nodes.r1.policy.filters[0].toPort: expected a port or range within 0..65535',
  ],
  [
    'a value outside its mask',
    changed('filters: [ { to: 198.18.0.0/15,', 'filters: [ { from: { value: 1.2.3.4, mask: 0.0.0.3 },'),
    'lab.yaml:14:26: nodes.r1.policy.filters[0].from: value 1.2.3.4 has bits outside mask 0.0.0.3',
  ],
  [
    'an in-port that is not there',
    changed('filters: [ { to: 198.18.0.0/15,', 'filters: [ { inPort: eth7,'),
    'lab.yaml:14:28: nodes.r1.policy.filters[0].inPort: no port eth7',
  ],
  [
    'a tunnel to itself',
    changed('s1: 10.0.2.2 }', 's1: 10.0.2.1 }'),
    'lab.yaml:13:22: nodes.r1.policy.tunnels.s1: expected another node, but 10.0.2.1 is an own address',
  ],
  [
    'a tunnel exit of another',
    changed(POLICY, 'decapsulate: [ 10.0.2.2 ]'),
    'lab.yaml:14:22: nodes.r1.policy.decapsulate[0]: expected an own address (10.0.1.1, 10.0.2.1), got 10.0.2.2',
  ],
  [
    'a class twice',
    classes('{ name: a, weight: 1 }, { name: a, port: eth0, weight: 1 }'),
    'lab.yaml:14:50: nodes.r1.policy.classes[1].name: there is another class a',
  ],
  [
    'a parent that is not there',
    classes('{ name: a, weight: 1, parent: b }'),
    'lab.yaml:14:48: nodes.r1.policy.classes[0].parent: no class b; did you mean a?',
  ],
  [
    'a parent on another port',
    classes('{ name: a, weight: 1, port: eth0 }, { name: b, weight: 1, port: eth1, parent: a }'),
    'lab.yaml:14:96: nodes.r1.policy.classes[1].parent: no class a on port eth1',
  ],
  [
    'a class below itself',
    classes('{ name: a, weight: 1, parent: b }, { name: b, weight: 1, parent: a }'),
    `lab.yaml:14:48: nodes.r1.policy.classes[0].parent: a is below itself
lab.yaml:14:83: nodes.r1.policy.classes[1].parent: b is below itself`,
  ],
  [
    'a class on a port that is not there',
    classes('{ name: a, weight: 1, port: eth9 }'),
    'lab.yaml:14:46: nodes.r1.policy.classes[0].port: no port eth9; did you mean eth0?',
  ],
  [
    'packets queued in a class that has classes below it',
    changed(
      POLICY,
      'classes: [ { name: a, weight: 1 }, { name: b, weight: 1, parent: a } ]\n      filters: [ { action: { class: a } } ]',
    ),
    'lab.yaml:15:37: nodes.r1.policy.filters[0].action.class: expected a class without classes below it, but a has some',
  ],
  [
    'a burst without ceiling',
    classes('{ name: a, weight: 1, burst: 10k }'),
    'lab.yaml:14:47: nodes.r1.policy.classes[0].burst: burst goes with ceiling',
  ],
]

const EXPECTATIONS: readonly Row[] = [
  [
    'no condition',
    expectation('conservation', 'perhaps'),
    'lab.yaml:27:31: expect[0].is: expected == X, != X, < N, <= N, > N, >= N, between N and N, or approx N +- N (or N%); got "perhaps"',
  ],
  [
    'a path that is none',
    expectation('"clients..c1"', 'true'),
    'lab.yaml:27:13: expect[0].path: expected a path such as clients.c1[0].failed; "clients..c1" goes wrong at 8',
  ],
  [
    'a root that is none',
    expectation('client', 'true'),
    'lab.yaml:27:13: expect[0].path: a report has no client there: expected clients, routers, conservation, virtualSeconds, lab, backend, seed or wall',
  ],
  [
    'a host without clients',
    expectation('"clients.s1[0].failed"', '0'),
    'lab.yaml:27:13: expect[0].path: no host with clients s1; did you mean c1?',
  ],
  [
    'a client that is not there',
    expectation('"clients.c1[1].failed"', '0'),
    'lab.yaml:27:13: expect[0].path: c1 has 1 client: expected an index such as clients.c1[0]',
  ],
  [
    'a server that is no node',
    expectation('"clients.c1[0].servers.s9"', '0'),
    'lab.yaml:27:13: expect[0].path: no node s9; did you mean s1?',
  ],
  [
    'a client without index',
    expectation('"clients.c1.failed"', '0'),
    'lab.yaml:27:13: expect[0].path: c1 has 1 client: expected an index such as clients.c1[0]',
  ],
  [
    'a packet counter that is none',
    expectation('"routers.r1.packets.lost"', '0'),
    'lab.yaml:27:13: expect[0].path: a report has no lost there: expected in, originated, copies, out, delivered, merged, parked, queued, inProgram or dropped',
  ],
  [
    'a counter that is none',
    expectation('"clients.c1[0].fails"', '0'),
    'lab.yaml:27:13: expect[0].path: a report has no fails there: expected attempted, completed, failed, bytesIn, bytesOut, latencyMs, servers or corrupted',
  ],
  [
    'a drop reason that is none',
    expectation('"routers.r1.packets.dropped.polcy"', '0'),
    'lab.yaml:27:13: expect[0].path: no drop reason polcy; did you mean policy?',
  ],
  [
    'a router that is a host',
    expectation('"routers.c1.flows"', '0'),
    'lab.yaml:27:13: expect[0].path: no router c1; did you mean r1?',
  ],
]

const GROUPS: Readonly<Record<string, readonly Row[]>> = {
  'the text is not what it should be': SYNTAX,
  'a value has the wrong form': FORM,
  'names do not fit together': NAMES,
  'addresses do not fit together': ADDRESSES,
  'a policy is wrong': POLICIES,
  'an expectation is wrong': EXPECTATIONS,
}

describe('refusals of a lab file', () => {
  it('has a sample that is right', () => {
    expect(refusalOf(SAMPLE)).to.equal('')
  })

  for (const [group, rows] of Object.entries(GROUPS))
    describe(`when ${group}`, () => {
      for (const [what, text, message] of rows)
        it(`refuses ${what}`, () => {
          expect(refusalOf(text)).to.equal(message)
        })
    })
})
