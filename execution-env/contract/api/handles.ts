/**
 * Handles: opaque, frozen objects for what a plugin has opened. The one idea: what a plugin owns has a key, unique
 * within its kind; a later version of the plugin that opens the same key gets the same thing (adoption).
 */

declare const kind: unique symbol

interface Handle<Kind extends string> {
  readonly [kind]?: Kind
  readonly key: string
}

/** A tunnel to its far end. */
export type Tunnel = Handle<'tunnel'>

/** A traffic class on one port or on all. */
export type TrafficClass = Handle<'class'>

/** A label bound to a prefix. */
export type Tag = Handle<'tag'>

/** A claim on flows. */
export interface Claim {
  readonly [kind]?: 'claim'
}

/** Something that calls back until it is cancelled. */
export interface Subscription {
  readonly [kind]?: 'subscription'
}
