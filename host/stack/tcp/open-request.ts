/** What a user asks for when opening a connection, and the checks that refuse it. */
import { isMulticast, LIMITED_BROADCAST } from '../addresses.ts'
import { StackError } from '../errors.ts'
import type { ExperimentalOption } from './control-block.ts'
import { EXPERIMENTAL_ROOM } from './emit.ts'
import type { TcpSettings } from './settings.ts'

export interface ConnectRequest {
  /** Unsigned address and port of the peer. */
  readonly to: number
  readonly port: number
  /** A local address; by default the one the route implies. */
  readonly from?: number
  /** 1..65535; by default an unpredictable free one. */
  readonly fromPort?: number
  readonly settings?: Partial<TcpSettings>
  /** Experimental options for the SYN, 20 bytes together at most. */
  readonly options?: readonly ExperimentalOption[]
  /** Allows a multicast `to`: whoever acknowledges the SYN first becomes the peer. Default false. */
  readonly group?: boolean
}

/** @throws StackError `invalid` */
export function checkRequest(request: ConnectRequest): void {
  const { to, port, fromPort } = request
  const ports = fromPort === undefined ? [port] : [port, fromPort]
  if (!ports.every((each) => Number.isInteger(each) && each >= 1 && each <= 65_535))
    throw new StackError('invalid', `a port of ${ports.join(', ')} is not in 1..65535`)
  const address = Number.isInteger(to) && to > 0 && to < LIMITED_BROADCAST
  if (!address || (isMulticast(to) && request.group !== true))
    throw new StackError('invalid', 'the address is not one host')
  checkOptions(request.options ?? [])
}

/** The options themselves. @throws StackError `invalid` when they do not fit beside the others of a SYN */
export function checkOptions(options: readonly ExperimentalOption[]): readonly ExperimentalOption[] {
  const bytes = options.reduce((total, each) => total + 4 + each.data.length, 0)
  if (bytes > EXPERIMENTAL_ROOM)
    throw new StackError(
      'invalid',
      `${bytes} bytes of experimental options, at most ${EXPERIMENTAL_ROOM} fit`,
    )
  return options
}
