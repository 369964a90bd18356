/** What a program waits for, as the router keeps it. The guest knows each by its number. */
import type { CompiledFilter } from '../../engine/index.ts'
import type { ServiceCommand, WireQuery } from '../contract/api/index.ts'
import type { SchemaCheck } from '../contract/index.ts'

export type Subscription =
  | { readonly kind: 'ended'; readonly filter: CompiledFilter }
  | { readonly kind: 'message'; readonly topic: string; readonly check: SchemaCheck | undefined }
  | { readonly kind: 'query'; readonly name: string }
  | { readonly kind: 'watch'; readonly query: WireQuery; readonly everyNs: number }
  | { readonly kind: 'route'; readonly address: number }
  | { readonly kind: 'timer'; readonly everyNs: number; readonly repeat: boolean }
  /** Over with its answer. */
  | { readonly kind: 'service'; readonly command: ServiceCommand }

/** Most subscriptions of a program, and most of a kind. */
export const SUBSCRIPTION_LIMIT = 1_024
export const SUBSCRIPTION_LIMITS: Readonly<Record<Subscription['kind'], number>> = {
  ended: 16,
  message: 64,
  query: 64,
  watch: 16,
  route: 256,
  timer: 512,
  service: 64,
}

/** Shortest time between two answers of a watch. */
export const WATCH_INTERVAL_NS = 100e6
