/**
 * What an owner holds in the engine, as what was asked for. The one idea: each thing has a key, and what is asked for
 * under a key is plain data; so that a new version of a plugin can be compared with the old one and what both want
 * stays untouched (adoption).
 */
import type { Action, CompiledFilter, Filter } from '../../engine/index.ts'
import type { WireFallback } from '../contract/api/index.ts'

/** A claim as it was asked for. Its key is its filter in numbers. */
export interface ClaimSpec {
  readonly filter: Filter
  readonly compiled: CompiledFilter
  readonly waitNs: number
  /** Absent: as the operator says. */
  readonly otherwise: WireFallback | undefined
}

/** A claim in the engine. */
export interface HeldClaim extends ClaimSpec {
  /** Name of its filter. */
  readonly name: string
  readonly priority: number
  /** What happens without a decision. */
  readonly instead: Action
}

export interface TunnelSpec {
  readonly to: string
  readonly kind?: 'ip-in-ip' | 'mac-rewrite'
  readonly ttl?: number
  readonly mtu?: number
}

/** Keys and names as the plugin gave them. */
export interface ClassSpec {
  readonly port?: string
  readonly parent?: string
  readonly weight: number
  readonly ceiling?: { readonly rateBps: number; readonly burstBytes?: number }
  readonly limitPackets?: number
  readonly limitBytes?: number
  readonly dropPolicy?: 'tail' | 'codel'
}

export class Holdings {
  readonly claims = new Map<string, HeldClaim>()
  readonly tunnels = new Map<string, TunnelSpec>()
  /** In order of creation: parents before children. */
  readonly classes = new Map<string, ClassSpec>()

  clear(): void {
    this.claims.clear()
    this.tunnels.clear()
    this.classes.clear()
  }

  get isEmpty(): boolean {
    return this.claims.size + this.tunnels.size + this.classes.size === 0
  }
}

/** The key of a claim: equal filters have equal keys, however they are written. */
export function claimKey(compiled: CompiledFilter): string {
  return Object.values(compiled).join(',')
}

/** Whether two values of plain data are equal, whatever the order of their keys. */
export function equalData(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  const [mine, theirs] = [Object.entries(one), Object.entries(other)]
  return (
    mine.length === theirs.length &&
    mine.every(([key, value]) => equalData(value, (other as Record<string, unknown>)[key]))
  )
}
