/**
 * Rules of a virtual host: by the client's address and the hour, which servers come into question (R-SLR-13). The one
 * idea: the first rule that holds narrows the list; the policy chooses among those that are left.
 */
import { type Day, TimeOfDay } from 'pronto-router/sdk/policies'
import { holds, type Prefix, parsePrefix } from './prefix.ts'
import type { Server } from './server.ts'

export interface RuleConfig {
  /** Default: any. */
  readonly clients?: string
  readonly days?: Day[]
  readonly from?: string
  readonly to?: string
  readonly utcOffset?: string
  /** Networks of servers. */
  readonly servers: readonly string[]
  /** Nobody, where none of these is left. */
  readonly strict: boolean
}

interface Rule {
  readonly clients: Prefix | undefined
  readonly hours: TimeOfDay<true> | undefined
  readonly servers: readonly Prefix[]
  readonly strict: boolean
}

export class SiteRules {
  readonly #rules: readonly Rule[]

  /** @throws Error for what is no prefix or time */
  constructor(rules: readonly RuleConfig[]) {
    this.#rules = rules.map(compile)
  }

  /** Those that come into question, in their order. */
  narrow<T extends { readonly server: Server }>(
    all: readonly T[],
    client: number,
    clockMs: number,
  ): readonly T[] {
    const rule = this.#rules.find(
      ({ clients, hours }) =>
        (clients === undefined || holds(clients, client)) &&
        (hours === undefined || hours.at(clockMs) === true),
    )
    if (rule === undefined) return primaries(all)
    const named = all.filter(({ server }) => rule.servers.some((prefix) => holds(prefix, server.value)))
    return named.length > 0 || rule.strict ? primaries(named) : primaries(all)
  }
}

/** Without those that wait for the others to fail (R-SLR-21), as long as there are others. */
function primaries<T extends { readonly server: Server }>(all: readonly T[]): readonly T[] {
  if (!all.some(({ server }) => server.backup)) return all
  const first = all.filter(({ server }) => !server.backup)
  return first.length > 0 ? first : all
}

function compile({ clients, days, from, to, utcOffset, servers, strict }: RuleConfig): Rule {
  const window = {
    ...(days === undefined ? {} : { days }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  }
  const always = Object.keys(window).length === 0
  return {
    clients: clients === undefined ? undefined : parsePrefix(clients),
    hours: always
      ? undefined
      : new TimeOfDay([{ ...window, use: true as const }], utcOffset === undefined ? {} : { utcOffset }),
    servers: servers.map(parsePrefix),
    strict,
  }
}
