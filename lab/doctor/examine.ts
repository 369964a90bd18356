/**
 * Examines this machine: what it can do and what is missing. The one idea: everything is tried, in a namespace that
 * goes with the attempt where it changes anything; nothing is concluded from versions or names.
 */
import { closeSync, openSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { BpfAssembler, BpfProgram, libc, PacketListener, R0 } from '../../engine/ports/linux/index.ts'
import { tryTool } from '../netns/tools.ts'
import { conclude, type Examination, type Finding, type Use } from './finding.ts'

const OLDEST_NODE = 26
/** A router, its sandbox and what the system keeps for them. */
const LEAST_MEMORY_BYTES = 512e6

const REAL: readonly Use[] = ['netns', 'router', 'host', 'bench']
const LABS: readonly Use[] = ['netns', 'bench']

/** Tools: how they tell that they are there, who needs them, the Debian package. */
const TOOLS: readonly (readonly [tool: string, flag: string, package_: string, neededFor: readonly Use[]])[] =
  [
    ['ip', '-V', 'iproute2', LABS],
    ['nginx', '-v', 'nginx-light', LABS],
    ['ping', '-V', 'iputils-ping', LABS],
    ['curl', '--version', 'curl', ['bench']],
    ['wrk', '-v', 'wrk', ['bench']],
    ['haproxy', '-v', 'haproxy', ['bench']],
    ['tc', '-V', 'iproute2', ['bench']],
    ['ethtool', '--version', 'ethtool', ['bench']],
    ['tcpdump', '--version', 'tcpdump', ['bench']],
    ['tshark', '--version', 'tshark', ['bench']],
  ]

/** Never throws. */
export function examine(): Examination {
  const linux = process.platform === 'linux'
  const findings = [
    nodeFinding(),
    memoryFinding(),
    {
      what: 'Linux',
      present: linux,
      detail: linux ? 'yes' : `this is ${process.platform}`,
      neededFor: REAL,
      ...(linux ? {} : { remedy: 'everything but the simulator needs Linux' }),
    },
  ]
  if (!linux) return conclude(findings)
  return conclude([...findings, ...systemFindings(), ...kernelFindings(), ...TOOLS.map(toolFinding)])
}

function nodeFinding(): Finding {
  const present = Number(process.versions.node.split('.')[0]) >= OLDEST_NODE
  const remedy = `use Node ${OLDEST_NODE} or later, or install the package without --omit=optional`
  return {
    what: 'Node',
    present,
    detail: process.version,
    neededFor: ['sim', ...REAL],
    ...(present ? {} : { remedy }),
  }
}

function memoryFinding(): Finding {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  const present = freemem() >= LEAST_MEMORY_BYTES
  return {
    what: 'memory',
    present,
    detail: `${gigabytes(freemem())} of ${gigabytes(totalmem())} free`,
    neededFor: REAL,
    ...(present ? {} : { remedy: 'a router with its sandbox takes about 300 MB' }),
  }
}

function systemFindings(): Finding[] {
  const root = process.getuid?.() === 0
  return [
    attempt('koffi', REAL, () => void libc(), 'install the package with its optional dependencies, on glibc'),
    {
      what: 'privileges',
      present: root,
      detail: root ? 'root' : `user ${process.getuid?.()}`,
      neededFor: LABS,
      ...(root ? {} : { remedy: 'run it as root; routers and host agents need capabilities only' }),
    },
  ]
}

function kernelFindings(): Finding[] {
  const alone = (...words: string[]) => {
    const { status, stderr } = tryTool('unshare', ['--net', ...words])
    if (status !== 0) throw new Error(stderr.trim().split('\n')[0] ?? 'failed')
  }
  const veth = ['ip', 'link', 'add', 'name', 'v0', 'type', 'veth', 'peer', 'name', 'v1']
  const clsact = ['tc', 'qdisc', 'add', 'dev', 'lo', 'clsact']
  const forbidden =
    process.getuid?.() === 0 ? 'the kernel lacks it, or a container is not --privileged' : 'it needs root'
  const tun = attempt(
    'TUN',
    ['router', 'bench'],
    openTun,
    'it needs CAP_NET_ADMIN and /dev/net/tun (module tun)',
  )
  // Host agents that cannot end tunnels in the kernel do it through a TUN device.
  const exit: readonly Use[] = tun.present ? ['bench'] : ['host', 'bench']
  return [
    attempt('network namespaces', LABS, () => alone('ip', 'link', 'show', 'lo'), forbidden),
    attempt('veth', LABS, () => alone(...veth), forbidden),
    tun,
    attempt(
      'AF_PACKET',
      ['netns', 'router', 'bench'],
      () => PacketListener.open('lo').close(),
      'it needs CAP_NET_RAW',
    ),
    attempt('BPF', exit, loadProgram, 'it needs CAP_BPF and CAP_NET_ADMIN'),
    attempt('clsact', exit, () => alone(...clsact), forbidden),
  ]
}

function openTun(): void {
  closeSync(openSync('/dev/net/tun', 'r+'))
}

/** The shortest program there is. */
function loadProgram(): void {
  const program = new BpfProgram('doctor', new BpfAssembler().move(R0, 0).exit().assemble())
  program.close()
}

function attempt(what: string, neededFor: readonly Use[], work: () => void, remedy: string): Finding {
  try {
    work()
    return { what, present: true, detail: 'works', neededFor }
  } catch (error) {
    return { what, present: false, detail: (error as Error).message, neededFor, remedy }
  }
}

function toolFinding([tool, flag, brings, neededFor]: (typeof TOOLS)[number]): Finding {
  const { status, stdout, stderr } = tryTool(tool, [flag])
  const version = /\d+(?:\.\d+)+|\d{8}/.exec(`${stdout}${stderr}`)?.[0]
  // Some tell their version and end with 1.
  if (status !== undefined && version !== undefined)
    return { what: tool, present: true, detail: version, neededFor, package: brings }
  const remedy = `apt-get install ${brings}`
  return { what: tool, present: false, detail: 'not installed', neededFor, remedy, package: brings }
}
