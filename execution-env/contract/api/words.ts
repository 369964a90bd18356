/**
 * The words and verbs of API version 1: which there are, which capability each needs, and which have no facility yet.
 * The one idea: one table from which the guest builds the `router` object, the docs their list, and tests theirs.
 */
import type { Capabilities } from '../capabilities.ts'

/** The version that this table describes. */
export const API_VERSION = 1

/** What a verb needs: one of these capabilities (`word.field`), nothing, or a facility that is not there yet. */
export type Need = readonly string[] | 'nothing' | 'unsupported'

const claimed: Need = ['flows.to', 'flows.from']

/** Word -> verb -> what it needs. */
export const VERBS: Readonly<Record<string, Readonly<Record<string, Need>>>> = {
  flows: {
    claim: claimed,
    unclaim: claimed,
    pin: claimed,
    unpin: claimed,
    ended: claimed,
    each: claimed,
  },
  packets: { program: 'unsupported' },
  tunnels: { open: ['tunnels.open'], close: ['tunnels.open'] },
  tags: { allocate: 'unsupported', bind: 'unsupported' },
  groups: { join: 'unsupported', leave: 'unsupported', admit: 'unsupported', deliver: 'unsupported' },
  classes: { create: ['classes.linkShare'], set: ['classes.linkShare'], remove: ['classes.linkShare'] },
  routes: {
    lookup: ['routes.lookup'],
    watch: ['routes.watch'],
    unwatch: ['routes.watch'],
    announce: 'unsupported',
    withdraw: 'unsupported',
  },
  messages: {
    on: ['messages.on'],
    off: ['messages.on'],
    send: ['messages.send'],
    toNeighbours: 'unsupported',
  },
  peers: { open: 'unsupported' },
  query: {
    get: ['query.get'],
    watch: ['query.watch'],
    unwatch: ['query.watch'],
    answer: ['query.answer'],
  },
  http: { get: ['http.get'] },
  certificates: { lookup: ['certificates.lookup'] },
  keys: { sign: ['keys.sign'], verify: ['keys.verify'] },
  timers: { every: ['timers.perSecond'], after: ['timers.perSecond'], cancel: ['timers.perSecond'] },
}

/** `word.verb` of all that throw `unsupported`. */
export function unsupportedVerbs(): readonly string[] {
  return Object.entries(VERBS).flatMap(([word, verbs]) =>
    Object.entries(verbs).flatMap(([verb, need]) => (need === 'unsupported' ? [`${word}.${verb}`] : [])),
  )
}

/** `word.field` of every capability that grants something. */
export function grantedFields(capabilities: Capabilities): readonly string[] {
  return Object.entries(capabilities).flatMap(([word, fields]) =>
    Object.keys(fields as object).map((field) => `${word}.${field}`),
  )
}
