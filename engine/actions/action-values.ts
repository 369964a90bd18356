/** Values in actions, judged: each check names the place of what it refuses (EngineError `invalid`). */
import { SECOND } from '../clock.ts'
import { type DropCode, dropCode } from '../drop-reason.ts'
import { EngineError } from '../errors.ts'
import { parseIpv4Address } from '../wire/address.ts'
import type { DecideAction } from './action.ts'

/** Longest wait for a decision. */
export const WAIT_LIMIT_NS = 60 * SECOND

/** An address that a single host may have. */
export function unicast(text: string, place: string): number {
  const value = target(text, place)
  if (value >>> 28 === 14)
    throw new EngineError('invalid', `expected a unicast IPv4 address, got ${JSON.stringify(text)}`, place)
  return value
}

/** An address that a packet may be sent to: no martian. */
export function target(text: string, place: string): number {
  const value = typeof text === 'string' ? parseIpv4Address(text) : undefined
  const octet = value === undefined ? 0 : value >>> 24
  if (value === undefined || octet === 0 || octet === 127 || octet >= 240)
    throw new EngineError('invalid', `expected an IPv4 address of a host, got ${JSON.stringify(text)}`, place)
  return value
}

/** A transport port. */
export function port(value: number, place: string): number {
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw new EngineError('invalid', `expected a port 0..65535, got ${value}`, place)
  return value
}

/** How long a decision is waited for. */
export function waitOf(action: DecideAction, place: string): number {
  const { waitNs } = action
  if (!(waitNs >= 0 && waitNs <= WAIT_LIMIT_NS))
    throw new EngineError('invalid', `expected 0..${WAIT_LIMIT_NS} ns, got ${waitNs}`, `${place}.waitNs`)
  return waitNs
}

/** A duration above nothing. */
export function positive(value: number, place: string): number {
  if (!Number.isFinite(value) || value <= 0)
    throw new EngineError('invalid', `expected nanoseconds > 0, got ${value}`, place)
  return value
}

/** The code of a drop reason. */
export function knownDrop(reason: Parameters<typeof dropCode>[0], place: string): DropCode {
  const code = dropCode(reason)
  if (code === undefined || code === 0)
    throw new EngineError('invalid', `unknown drop reason ${JSON.stringify(reason)}`, `${place}.reason`)
  return code
}

/** Running sums of whole weights 1..65535. */
export function cumulate(branches: readonly { readonly weight: number }[], place: string): Int32Array {
  let sum = 0
  return Int32Array.from(branches, ({ weight }, i) => {
    if (!Number.isInteger(weight) || weight < 1 || weight > 65535)
      throw new EngineError(
        'invalid',
        `expected a whole weight 1..65535, got ${weight}`,
        `${place}.to[${i}].weight`,
      )
    sum += weight
    return sum
  })
}
