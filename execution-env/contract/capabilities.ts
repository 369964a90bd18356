/**
 * Capabilities: what a plugin may do with the words of its API. The one idea: declared by the manifest, bounded by
 * the signer's certificate, bounded again by the operator; at every stage one language and one order ("is within"),
 * in which nothing is granted that is not written.
 *
 * A field is either a verb, whose bound says what it may be applied to (`messages.on: ["host/*"]`), or a limit on
 * the whole word (`flows.payloadBytes: 64`). `log`, `now`, `clock` and `random` need no capability.
 */

import {
  type BoundedWords,
  describeWords,
  excessOfWords,
  intersectWords,
  normaliseWords,
  type Violation,
  wordsSchema,
} from './bounded-words.ts'
import {
  type BoundKind,
  count,
  multicastPrefixes,
  namesOf,
  origins,
  patterns,
  prefixes,
  rate,
  share,
} from './bounds.ts'

/** What may happen to a packet by a plugin's decision. */
export const ACTION_NAMES = [
  'class',
  'decapsulate',
  'drop',
  'forward',
  'park',
  'replicate',
  'rewrite',
  'spread',
  'tag',
  'tunnel',
] as const

/** Packets whose destination is in `to` or whose source is in `from`; prefixes as text. */
export interface TrafficCapability {
  /** Destinations: virtual hosts and groups. */
  readonly to?: readonly string[]
  readonly from?: readonly string[]
  readonly actions?: readonly (typeof ACTION_NAMES)[number][]
  /** Addresses that actions may name: next hops and rewritten addresses. */
  readonly targets?: readonly string[]
  /** Bytes behind the transport header that the plugin may see. */
  readonly payloadBytes?: number
}

/** What a plugin may do. An absent word or field allows nothing. */
export interface Capabilities {
  /** Claim, pin, unpin, list and follow flows. At most 128 payload bytes. */
  readonly flows?: TrafficCapability
  /** Programs that see every packet. At most 65535 payload bytes. */
  readonly packets?: TrafficCapability
  /** Far ends to which tunnels may be opened. */
  readonly tunnels?: { readonly open?: readonly string[] }
  /** Prefixes to which labels may be bound, and how many labels. */
  readonly tags?: { readonly bind?: readonly string[]; readonly count?: number }
  /** Multicast groups per verb. */
  readonly groups?: {
    readonly join?: readonly string[]
    readonly admit?: readonly string[]
    readonly deliver?: readonly string[]
    readonly send?: readonly string[]
  }
  /** Share of each link that the plugin's classes may be guaranteed, on which ports. */
  readonly classes?: { readonly linkShare?: number; readonly ports?: readonly string[] }
  /** Prefixes that may be announced, looked up, watched. */
  readonly routes?: {
    readonly announce?: readonly string[]
    readonly lookup?: readonly string[]
    readonly watch?: readonly string[]
  }
  /** Topics listened to and sent, and how many routers away a message may go. */
  readonly messages?: {
    readonly on?: readonly string[]
    readonly send?: readonly string[]
    readonly hops?: number
  }
  /** Addresses of those with whom sessions may be held. */
  readonly peers?: { readonly open?: readonly string[] }
  readonly query?: {
    readonly get?: readonly string[]
    readonly watch?: readonly string[]
    readonly answer?: readonly string[]
  }
  /** Web origins that the HTTP proxy may fetch from. */
  readonly http?: { readonly get?: readonly string[] }
  /** Names whose certificates may be looked up. */
  readonly certificates?: { readonly lookup?: readonly string[] }
  /** Names of the router's keys that may sign, and of those that may verify. */
  readonly keys?: { readonly sign?: readonly string[]; readonly verify?: readonly string[] }
  /** Timer calls per second in all. */
  readonly timers?: { readonly perSecond?: number }
  /** Share of one processor. */
  readonly cpu?: { readonly share?: number }
}

type Table<Words> = {
  readonly [Word in keyof Words]-?: {
    readonly [Field in keyof NonNullable<Words[Word]>]-?: BoundKind
  }
}

const actions = namesOf(ACTION_NAMES)

const WORDS = {
  flows: { to: prefixes, from: prefixes, actions, targets: prefixes, payloadBytes: count(128, 'bytes') },
  packets: { to: prefixes, from: prefixes, actions, targets: prefixes, payloadBytes: count(65_535, 'bytes') },
  tunnels: { open: prefixes },
  tags: { bind: prefixes, count: count(1_048_560, 'labels') },
  groups: {
    join: multicastPrefixes,
    admit: multicastPrefixes,
    deliver: multicastPrefixes,
    send: multicastPrefixes,
  },
  classes: { linkShare: share, ports: patterns },
  routes: { announce: prefixes, lookup: prefixes, watch: prefixes },
  messages: { on: patterns, send: patterns, hops: count(255, 'routers') },
  peers: { open: prefixes },
  query: { get: patterns, watch: patterns, answer: patterns },
  http: { get: origins },
  certificates: { lookup: patterns },
  keys: { sign: patterns, verify: patterns },
  timers: { perSecond: rate(100_000, 'calls per second') },
  cpu: { share },
} satisfies Table<Capabilities>

/** JSON schema of `Capabilities`. */
export const capabilitiesSchema = wordsSchema(WORDS, 'an object of capabilities by word')

/**
 * What is asked for beyond the grant; empty when `requested` is within `granted`.
 * Both must be of the schema; `within(a, a)` is empty, and it is an order on normal forms.
 */
export function within(requested: Capabilities, granted: Capabilities): readonly Violation[] {
  return excessOfWords(WORDS, toWords(requested), toWords(granted))
}

/** The most that both allow: the greatest capabilities within `one` and within `other`. In normal form. */
export function intersect(one: Capabilities, other: Capabilities): Capabilities {
  return intersectWords(WORDS, toWords(one), toWords(other)) as Capabilities
}

/** The one form of capabilities: equal in meaning is equal in text. */
export function normalise(capabilities: Capabilities): Capabilities {
  return normaliseWords(WORDS, toWords(capabilities)) as Capabilities
}

/** A line per word for people. Empty when nothing is allowed. */
export function describeCapabilities(capabilities: Capabilities): readonly string[] {
  return describeWords(WORDS, toWords(capabilities))
}

const toWords = (capabilities: Capabilities): BoundedWords => capabilities as BoundedWords
