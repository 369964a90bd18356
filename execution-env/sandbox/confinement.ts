/**
 * What a sandbox process is forbidden by the system. The one idea: every measure is tried on this machine once and
 * used where it works, behind those that come before it; which ones are in force and which are missing is told, never
 * guessed. All of them are programs that replace themselves by the next, so that the child's process id is the
 * sandbox's.
 *
 * unshare(1): no network, no IPC of others; setpriv(1): no new privileges, no capabilities, dies with the router;
 * prlimit(1): no core files, few descriptors, no large files, no locked memory; Node's permission model: no files
 * but its own program, no processes, no network.
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { findTool } from './tools.ts'

/** A user and group of the system by number. */
export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

export interface Confinement {
  /** Program and parameters to put before the confined program's; empty where nothing is to be had. */
  readonly prefix: readonly string[]
  readonly inForce: readonly string[]
  readonly missing: readonly string[]
}

interface Measure {
  readonly tool: string
  readonly parameters: readonly string[]
  readonly gives: readonly string[]
  /** What /proc/self/status says behind it; a tool may succeed and change nothing. */
  readonly proof?: RegExp
}

/** Nothing is left, and nothing can be had back. */
const NO_CAPABILITIES = /(Cap(Inh|Prm|Eff|Bnd|Amb):\s*0+\s+){5}/
/** Largest file that the process could write: its last words on standard error. */
const FILE_BYTES_MAX = 65_536
const STATUS = '/proc/self/status'
const probed = new Map<string, boolean>()

/** Whether a program with what is put before it runs, and is confined as it should be. */
function works(prefix: readonly string[], proof: RegExp | undefined): boolean {
  // One user is like another: to ask again for each would hold up the packets of whoever starts a sandbox.
  const key = prefix.join(' ').replace(/(--re[ug]id=)\d+/g, '$1N')
  let result = probed.get(key)
  if (result === undefined) {
    const probe = proof === undefined ? [findTool('true') ?? 'true'] : [findTool('cat') ?? 'cat', STATUS]
    const [tool, ...parameters] = [...prefix, ...probe] as [string, ...string[]]
    const run = spawnSync(tool, parameters, {
      stdio: ['ignore', 'pipe', 'ignore'],
      encoding: 'latin1',
      env: {},
    })
    result = run.status === 0 && (proof === undefined || proof.test(run.stdout))
    probed.set(key, result)
  }
  return result
}

/** Per stage the measures from the strongest to the weakest; the first that works is taken. */
function stages(user: SystemUser | undefined): Measure[][] {
  const network = ['no network', 'no IPC']
  const namespaces = ['--net', '--ipc']
  const nobody = ['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all']
  const dying = ['--no-new-privs', '--pdeathsig', 'KILL']
  const own = user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']
  const gives = ['no new privileges', 'dies with the router', 'no capabilities']
  const setpriv = (parameters: string[], given: string[]): Measure => ({
    tool: 'setpriv',
    parameters,
    gives: given,
    ...(given.includes('no capabilities') ? { proof: NO_CAPABILITIES } : {}),
  })
  return [
    [
      { tool: 'unshare', parameters: namespaces, gives: network },
      // In a namespace of its own an ordinary user may give everything away, and keeps until then what it takes.
      {
        tool: 'unshare',
        parameters: ['--user', '--map-current-user', '--keep-caps', ...namespaces],
        gives: network,
      },
      { tool: 'unshare', parameters: ['--user', '--map-current-user', ...namespaces], gives: network },
    ],
    [
      ...(user === undefined ? [] : [setpriv([...dying, ...nobody, ...own], [...gives, 'own user'])]),
      setpriv([...dying, ...nobody], gives),
      setpriv([...dying, '--inh-caps=-all'], gives.slice(0, 2)),
      setpriv(['--no-new-privs'], gives.slice(0, 1)),
    ],
    [
      {
        tool: 'prlimit',
        parameters: ['--core=0', '--nofile=64', `--fsize=${FILE_BYTES_MAX}`, '--memlock=0'],
        gives: ['process limits'],
      },
    ],
  ]
}

/**
 * What can be had here.
 * @param user whom the process should run as; only a privileged router can do it
 * @param wantsUser whether it is missed when there is none
 */
export function confine(user?: SystemUser, wantsUser = user !== undefined): Confinement {
  const prefix: string[] = []
  const inForce: string[] = []
  const missing: string[] = []
  for (const stage of stages(user)) {
    const taken = stage.find(({ tool, parameters, proof }) => {
      const path = findTool(tool)
      return path !== undefined && works([...prefix, path, ...parameters, '--'], proof)
    })
    if (taken !== undefined) prefix.push(findTool(taken.tool)!, ...taken.parameters, '--')
    inForce.push(...(taken?.gives ?? []))
    missing.push(...stage[0]!.gives.filter((each) => taken?.gives.includes(each) !== true))
  }
  if (wantsUser && !inForce.includes('own user') && !missing.includes('own user')) missing.push('own user')
  return { prefix, inForce: [...inForce, 'no files, programs or network for JavaScript'], missing }
}

/** Node's flags for a program that runs isolates: what these need, and the permission model. */
export function nodeFlags(program: string): string[] {
  const here = dirname(fileURLToPath(import.meta.url))
  const addon = dirname(createRequire(import.meta.url).resolve('isolated-vm/package.json'))
  const loader = dirname(createRequire(join(addon, 'index.js')).resolve('node-gyp-build/package.json'))
  const readable = [
    program,
    ...[here, addon, loader].map((folder) => `${folder}/`),
    ...ancestors(here).map((folder) => join(folder, 'package.json')),
    ...packagePaths(here, 'isolated-vm'),
    ...packagePaths(addon, 'node-gyp-build'),
    '/etc/alpine-release',
  ]
  return [
    // One request runs through many small functions: the usual inlining budget would leave calls between them.
    '--max-inlined-bytecode-size=1000',
    '--max-inlined-bytecode-size-cumulative=3000',
    '--no-concurrent-recompilation',
    '--no-node-snapshot',
    '--no-warnings',
    '--disallow-code-generation-from-strings',
    '--permission',
    '--allow-addons',
    '--allow-worker',
    ...readable.map((path) => `--allow-fs-read=${path}`),
  ]
}

/** A folder and all that it lies in: where Node looks for packages and their types of modules. */
function ancestors(folder: string): string[] {
  const above = dirname(folder)
  return above === folder ? [folder] : [folder, ...ancestors(above)]
}

/** Where Node looks for a package from a folder: any of these may be a link to where it is. */
function packagePaths(folder: string, name: string): string[] {
  return ancestors(folder).flatMap((each) => {
    const modules = join(each, 'node_modules')
    return [modules, join(modules, name), `${join(modules, name)}/`]
  })
}
