/**
 * What this machine must have for labs of real hosts. The one idea: everything is tried, nothing believed; what is
 * missing is told with what brings it.
 */

import { libc } from '../../engine/ports/linux/index.ts'
import { BackendUnavailableError } from '../backend.ts'
import { hostsOf, type Lab, routersOf } from '../file/index.ts'
import { tryTool } from './tools.ts'

/** Debian packages of the tools. */
export const PACKAGES = {
  ip: 'iproute2',
  nginx: 'nginx-light',
  curl: 'curl',
  ping: 'iputils-ping',
} as const

/** @throws BackendUnavailableError naming all that this lab needs and this machine lacks */
export function requireNamespaces(lab: Lab): void {
  const missing = missingFor(lab)
  if (missing.length > 0) throw new BackendUnavailableError('netns', missing.join('; '))
}

function missingFor(lab: Lab): string[] {
  if (process.platform !== 'linux') return [`it needs Linux (this is ${process.platform})`]
  const tools = new Set<keyof typeof PACKAGES>(['ip'])
  for (const { services, clients } of hostsOf(lab)) {
    if (services.some(({ protocol }) => protocol === 'http')) tools.add('nginx')
    if (clients.some(({ protocol }) => protocol === 'ping')) tools.add('ping')
  }
  const lacking = [...tools].flatMap((tool) => {
    const version = tool === 'nginx' ? '-v' : '-V'
    return tryTool(tool, [version]).status === 0
      ? []
      : [`${tool} is not installed (Debian package ${PACKAGES[tool]})`]
  })
  if (process.getuid?.() !== 0) lacking.push('it needs root: namespaces, links and raw sockets')
  else if (lacking.length === 0 && tryTool('unshare', ['--net', 'ip', 'link', 'show', 'lo']).status !== 0)
    lacking.push('this root may not make network namespaces (CAP_SYS_ADMIN; a container needs --privileged)')
  if (routersOf(lab).length >= 0) lacking.push(...missingKoffi())
  return lacking
}

function missingKoffi(): string[] {
  try {
    libc()
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
