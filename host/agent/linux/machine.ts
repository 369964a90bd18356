/**
 * The machine that the agent changes: makes and undoes changes. The one idea: one switch that makes and one that
 * undoes; undoing what is not there, or what others have changed meanwhile, leaves it as it is.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  addRoute,
  addRule,
  copyRoutes,
  findLink,
  type Link,
  LinuxError,
  type Netlink,
  type RoutingRule,
  removeRoute,
  removeRule,
  setLinkUp,
  TABLE_LOCAL,
} from '../../../engine/ports/linux/index.ts'
import { type BpfExit, detachExit, prepareDevice, releaseDevice } from './bpf-exit.ts'
import { type Change, describeChange } from './change.ts'
import { HostError } from './errors.ts'

export const LOOPBACK = 'lo'
/** Routes for answers of virtual addresses, and those for ICMP by the gateway: tables that nobody uses by chance. */
export const REPLY_TABLE = 47_540
export const GATEWAY_TABLE = 47_541

const SETTINGS = '/proc/sys/net/ipv4'
/** As Linux has it from the start, and where it stands behind the agent's own rules. */
const LOCAL_RULE: RoutingRule = { priority: 0, table: TABLE_LOCAL }
const LATE_LOCAL_RULE: RoutingRule = { priority: 2, table: TABLE_LOCAL }

export class Machine {
  readonly netlink: Netlink
  /** What `exit` changes attach. */
  exit: BpfExit | undefined

  constructor(netlink: Netlink) {
    this.netlink = netlink
  }

  /** @throws LinuxError `not-found` */
  device(name: string): Link {
    return findLink(this.netlink, name)
  }

  /** A setting below /proc/sys/net/ipv4. @throws HostError */
  setting(path: string): string {
    return inSettings(path, () => readFileSync(join(SETTINGS, path), 'latin1').trim())
  }

  /** Whether anything had to be done. @throws LinuxError, HostError */
  make(change: Change): boolean {
    if (change.kind === 'clsact') return prepareDevice(this.netlink, this.device(change.device).index)
    this.#make(change)
    return true
  }

  #make(change: Exclude<Change, { kind: 'clsact' }>): void {
    const attempt = describeChange(change)
    const { netlink } = this
    switch (change.kind) {
      case 'setting':
        return this.#writeSetting(change.path, change.after)
      case 'link-up':
        return setLinkUp(netlink, this.device(change.device).index, true)
      case 'local-route':
        return addRoute(netlink, this.#localRoute(change.prefix), attempt)
      case 'gateway-route':
        return addRoute(netlink, this.#gatewayRoute(change), attempt)
      case 'rule':
        return addRule(netlink, change.rule, attempt)
      case 'late-local-rule':
        return this.#moveLocalRuleBack(attempt)
      case 'reply-table':
        return this.#claimReplyTable()
      case 'exit':
        return this.exit?.attach(netlink, this.device(change.device).index)
    }
  }

  /** @throws LinuxError, HostError */
  undo(change: Change): void {
    const attempt = `undoing: ${describeChange(change)}`
    const { netlink } = this
    try {
      switch (change.kind) {
        case 'setting':
          if (this.setting(change.path) === change.after) this.#writeSetting(change.path, change.before)
          return
        case 'link-up':
          return setLinkUp(netlink, this.device(change.device).index, false)
        case 'local-route':
          removeRoute(netlink, this.#localRoute(change.prefix), attempt)
          return
        case 'gateway-route':
          removeRoute(netlink, this.#gatewayRoute(change), attempt)
          return
        case 'rule':
          removeRule(netlink, change.rule, attempt)
          return
        case 'late-local-rule':
          return this.#restoreLocalRule(attempt)
        case 'reply-table':
          for (const route of copyRoutes(netlink, REPLY_TABLE, REPLY_TABLE))
            removeRoute(netlink, route, attempt)
          return
        case 'clsact':
          releaseDevice(netlink, this.device(change.device).index)
          return
        case 'exit':
          detachExit(netlink, this.device(change.device).index)
          return
      }
    } catch (error) {
      // With a device goes all that was on it.
      const isGone = (error instanceof LinuxError || error instanceof HostError) && error.code === 'not-found'
      if (!isGone) throw error
    }
  }

  /** Filled by syncReplyRoutes, again and again; of two agents each would undo what the other has put there. */
  #claimReplyTable(): void {
    if (copyRoutes(this.netlink, REPLY_TABLE, REPLY_TABLE).length > 0)
      throw new HostError(
        'busy',
        `an agent of another name runs in this network namespace, or was killed there: table ${REPLY_TABLE} is taken`,
      )
  }

  /** Never without a rule for the local table: first the new one. */
  #moveLocalRuleBack(attempt: string): void {
    const { netlink } = this
    addRule(netlink, LATE_LOCAL_RULE, attempt)
    try {
      removeRule(netlink, LOCAL_RULE, attempt)
    } catch (error) {
      removeRule(netlink, LATE_LOCAL_RULE, attempt)
      throw error
    }
  }

  /** First the rule that must never lack. */
  #restoreLocalRule(attempt: string): void {
    try {
      addRule(this.netlink, LOCAL_RULE, attempt)
    } catch (error) {
      if (!(error instanceof LinuxError && error.code === 'busy')) throw error
    }
    removeRule(this.netlink, LATE_LOCAL_RULE, attempt)
  }

  #localRoute(prefix: Extract<Change, { kind: 'local-route' }>['prefix']) {
    return { kind: 'local', prefix, device: this.device(LOOPBACK).index } as const
  }

  #gatewayRoute({ table, gateway, device }: Extract<Change, { kind: 'gateway-route' }>) {
    return { kind: 'gateway', table, gateway, device: this.device(device).index } as const
  }

  #writeSetting(path: string, value: string): void {
    inSettings(path, () => writeFileSync(join(SETTINGS, path), value))
  }
}

function inSettings<Result>(path: string, work: () => Result): Result {
  try {
    return work()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const name = `net.ipv4.${path.replaceAll('/', '.')}`
    if (code === 'EACCES' || code === 'EPERM')
      throw new HostError('forbidden', `setting ${name}: ${code}; it needs root or CAP_NET_ADMIN`)
    if (code === 'EROFS')
      throw new HostError('forbidden', `setting ${name}: /proc/sys is mounted read-only here`)
    if (code === 'ENOENT') throw new HostError('not-found', `there is no setting ${name}`)
    throw new HostError('failed', `${name}: ${message}`)
  }
}
