/** The JSON schema (draft 2020-12) of a host agent's configuration file (docs/host-agent.md). */
import {
  address,
  duration,
  integer,
  list,
  mapping,
  name,
  prefix,
  type Schema,
  text,
  word,
} from '../../../document/index.ts'

export const HOST_STATES = ['active', 'draining', 'maintenance'] as const
export const EXIT_KINDS = ['bpf', 'tun', 'none'] as const

const MAX_DEVICES = 16
const MAX_VIRTUAL_HOSTS = 64
const MAX_ROUTERS = 16
const MAX_COMMAND_WORDS = 64

const device: Schema = {
  type: 'string',
  pattern: '^(?!\\.{1,2}$)[^\\s/:]{1,15}$',
  description: "a network device of this machine such as 'enp1s0'",
}

/** Words that every kind of load may have. */
const common = { interval: duration, full: integer(1, 1_000_000_000) }

const load: Schema = {
  ...mapping({
    source: {
      ...word('load-average', 'connections', 'command', 'http', 'file'),
      description: 'load-average, connections, command, http or file',
    },
    command: list(text, MAX_COMMAND_WORDS, "a program and its arguments such as ['/usr/bin/load', '-1']", 1),
    url: { ...text, pattern: '^https?://', description: "a URL such as 'http://127.0.0.1/load'" },
    file: { ...text, description: 'the path of a file' },
    ...common,
  }),
  type: ['string', 'object'],
  minLength: 1,
  description: 'load-average, connections, or a mapping with source',
}

/** The schema of a host agent's configuration. */
export const hostSchema: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'pronto host agent',
  ...mapping(
    {
      name,
      address,
      devices: list(device, MAX_DEVICES, "a list of network devices such as ['eth0']", 1),
      virtualHosts: list(prefix, MAX_VIRTUAL_HOSTS, "a list of prefixes such as ['198.18.0.0/15']", 1),
      routers: list(address, MAX_ROUTERS, "a list of routers' addresses such as ['10.0.2.1']"),
      signaling: {
        ...mapping({ port: integer(1, 65_535) }),
        description: 'a mapping with port: where the routers listen',
      },
      gateway: address,
      certificate: { ...text, description: "the path of this host's certificate" },
      key: { ...text, description: "the path of the certificate's private key" },
      trust: { ...text, description: 'the path of a folder with ca.crt and crl.pem' },
      interval: duration,
      exit: word(...EXIT_KINDS),
      load,
      state: word(...HOST_STATES),
    },
    ['name', 'address', 'devices', 'virtualHosts'],
  ),
  description: 'a host agent: a mapping with name, address, devices and virtualHosts',
}
