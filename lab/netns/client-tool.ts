/**
 * Which program makes a client's requests. The one idea: curl where a process for each request keeps up with what is
 * asked for, else the client of the lab itself, with the kernel's sockets.
 */
import type { Client } from '../file/index.ts'
import type { ClientJob } from './programs/client-program.ts'
import { tryTool } from './tools.ts'

/** Requests a second that processes of their own keep up with beside everything else. */
const MAX_CURL_RATE = 50
const MAX_CURL_COUNT = 200
const MAX_CURL_CONCURRENCY = 4
export const MAX_PING_RATE = 100
/** The first curl that tells of headers by name. */
const CURL_VERSION = [7, 84] as const

/** @param hasCurl whether there is a curl that will do */
export function toolOf(client: Client, hasCurl: boolean): ClientJob['tool'] {
  const { protocol, keepAlive, ratePerSecond: rate, count, concurrency } = client
  if (protocol === 'ping') return 'ping'
  if (protocol !== 'http' || keepAlive || !hasCurl) return 'built-in'
  if (rate !== undefined) return rate <= MAX_CURL_RATE ? 'curl' : 'built-in'
  const few = count !== undefined && count <= MAX_CURL_COUNT && concurrency <= MAX_CURL_CONCURRENCY
  return few ? 'curl' : 'built-in'
}

/** Whether there is a curl that can tell all we ask. */
export function hasUsableCurl(): boolean {
  const { status, stdout } = tryTool('curl', ['--version'])
  const version = /^curl (\d+)\.(\d+)/.exec(stdout)
  if (status !== 0 || version === null) return false
  const [major, minor] = [Number(version[1]), Number(version[2])]
  return major > CURL_VERSION[0] || (major === CURL_VERSION[0] && minor >= CURL_VERSION[1])
}
