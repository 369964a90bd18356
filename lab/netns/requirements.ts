/**
 * What this machine must have for labs of real hosts. The one idea: everything is tried, nothing believed; what is
 * missing is told with what brings it.
 */

import { libc } from '../../engine/ports/linux/index.ts'
import { BackendUnavailableError } from '../backend.ts'
import { hostsOf, type Lab } from '../file/index.ts'
import { tryTool } from './tools.ts'

/** Debian packages of the tools. */
export const PACKAGES = {
  ip: 'iproute2',
  nginx: 'nginx-light',
  curl: 'curl',
  ping: 'iputils-ping',
} as const

type Tool = keyof typeof PACKAGES

/** @throws BackendUnavailableError naming all that this lab needs and this machine lacks */
export function requireNamespaces(lab: Lab): void {
  const tools = new Set<Tool>(['ip'])
  for (const { services, clients } of hostsOf(lab)) {
    if (services.some(({ protocol }) => protocol === 'http')) tools.add('nginx')
    if (clients.some(({ protocol }) => protocol === 'ping')) tools.add('ping')
  }
  const missing = lacking([...tools])
  if (missing.length > 0) throw new BackendUnavailableError('netns', missing.join('; '))
}

/** What this machine lacks for labs that use everything, in words. */
export function lacks(): string[] {
  return lacking(['ip', 'nginx', 'ping'])
}

function lacking(tools: readonly Tool[]): string[] {
  if (process.platform !== 'linux') return [`it needs Linux (this is ${process.platform})`]
  const missing = tools
    .filter((tool) => !hasTool(tool))
    .map((tool) => `${tool} is not installed (Debian package ${PACKAGES[tool]})`)
  if (process.getuid?.() !== 0) missing.push('it needs root, for namespaces, links and raw sockets')
  else if (!mayMakeNamespaces())
    missing.push(
      'this root may not make network namespaces (CAP_SYS_ADMIN, CAP_NET_ADMIN; of a container: --privileged)',
    )
  return [...missing, ...missingLibrary()]
}

function hasTool(tool: Tool): boolean {
  return tryTool(tool, [tool === 'nginx' ? '-v' : '-V']).status === 0
}

/** What is made in it goes with it. */
function mayMakeNamespaces(): boolean {
  const link = ['ip', 'link', 'add', 'name', 'v0', 'type', 'veth', 'peer', 'name', 'v1']
  return tryTool('unshare', ['--net', ...link]).status === 0
}

function missingLibrary(): string[] {
  try {
    libc()
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
