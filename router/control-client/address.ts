/**
 * How a router is named: `--router NAME|URL`. The one idea: a name is one of this machine's routers, a path is the
 * folder of its sockets, and a URL is a router elsewhere whose certificate must bear the name that is expected there.
 */
import { accessSync, constants } from 'node:fs'
import { connect, isIP } from 'node:net'
import { resolve } from 'node:path'
import { ControlError } from '../control/errors.ts'
import type { Role } from '../control/roles.ts'
import { isRouterName, listRouters, runtimeFolder, socketPath } from '../control/runtime-folder.ts'

export type RouterAddress =
  | { readonly kind: 'local'; readonly folder: string }
  | {
      readonly kind: 'remote'
      readonly host: string
      readonly port: number
      /** Name in the router's certificate. */
      readonly name: string
    }

const DEFAULT_PORT = 7_443

/**
 * The address that a text stands for; without a text, the only router of this machine. A router that has died without
 * a word leaves its sockets behind and does not count.
 * @param text `r1`, `LAB/r1`, `./folder`, `wss://host:7443`, `wss://10.0.0.1:7443#r1`
 * @throws ControlError `invalid`, `unknown`
 */
export async function routerAddress(
  text: string | undefined,
  base = runtimeFolder(),
): Promise<RouterAddress> {
  if (text !== undefined && /^\.{0,2}\//.test(text)) return { kind: 'local', folder: resolve(text) }
  if (text?.includes('://')) return remoteAddress(text)
  const routers = await livingRouters(base)
  if (text === undefined) return { kind: 'local', folder: resolve(base, only(routers, base)) }
  const found = routers.includes(text)
    ? [text]
    : routers.filter((each) => each.endsWith(`/${text}`) && !text.includes('/'))
  if (found.length === 1) return { kind: 'local', folder: resolve(base, found[0]!) }
  if (found.length > 1)
    throw new ControlError('unknown', `there is more than one router ${text}: ${found.join(', ')}`)
  // Who is no router's owner may not list the folder, but may be let through to a socket.
  const folder = resolve(base, text)
  if (isRouterName(text) && (await isLiving(folder))) return { kind: 'local', folder }
  throw new ControlError('unknown', `no router ${text} runs here${listed(routers)}`)
}

async function livingRouters(base: string): Promise<string[]> {
  const routers = listRouters(base)
  const living = await Promise.all(routers.map((each) => isLiving(resolve(base, each))))
  return routers.filter((_, index) => living[index])
}

/** Whether somebody listens; one whom we may not speak to does. */
function isLiving(folder: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = connect(socketPath(folder, 'read'))
    socket.on('connect', () => {
      socket.destroy()
      settle(true)
    })
    socket.on('error', (error: NodeJS.ErrnoException) =>
      settle(error.code === 'EACCES' || error.code === 'EPERM'),
    )
  })
}

function only(routers: readonly string[], base: string): string {
  if (routers.length === 1) return routers[0]!
  if (routers.length > 1)
    throw new ControlError('unknown', `say which router with --router NAME${listed(routers)}`)
  const hidden = mayList(base) ? 'no router runs here' : `you may not list the routers in ${base}`
  throw new ControlError('unknown', `${hidden}; say which one with --router NAME|URL`)
}

function mayList(folder: string): boolean {
  try {
    accessSync(folder, constants.R_OK)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'EACCES'
  }
  return true
}

function listed(routers: readonly string[]): string {
  return routers.length === 0 ? '' : `; there are ${routers.join(', ')}`
}

function remoteAddress(text: string): RouterAddress {
  const invalid = (reason: string) => new ControlError('invalid', `--router ${text}: ${reason}`)
  if (!URL.canParse(text)) throw invalid('expected a URL such as wss://router.example:7443')
  const { protocol, hostname, port, pathname, search, hash, username, password } = new URL(text)
  if (protocol !== 'wss:') throw invalid('expected wss://, nothing else is encrypted')
  if (pathname !== '/' || search !== '' || username !== '' || password !== '')
    throw invalid('expected nothing but host, port and #NAME')
  const name = hash === '' ? hostname : decodeURIComponent(hash.slice(1))
  return { kind: 'remote', host: hostname, port: port === '' ? DEFAULT_PORT : Number(port), name }
}

/** The socket to open for a role. */
export function localSocket(folder: string, role: Role): string {
  return socketPath(folder, role)
}

/** What a TLS client tells of whom it wants: names only. */
export function serverName(name: string): string {
  return isIP(name) !== 0 || !/^[a-z0-9-]+(?:\.[a-z0-9-]+)*$/i.test(name) ? '' : name
}
