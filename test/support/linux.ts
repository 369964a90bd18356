/** What tests of real ports need: root on Linux, and namespaces of their own that leave nothing behind. */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Context } from 'mocha'
import { describeDevice, inNamespace } from '../../engine/ports/linux/index.ts'
import { requireLab, requireTool, runTool } from './oracle.ts'

/** Skips the test unless this is Linux. */
export function requireLinux(context: Context): void {
  if (process.platform !== 'linux') requireLab(context, 'this is not Linux')
}

/** Skips the test unless this is Linux and the process may make namespaces and devices. */
export function requireRoot(context: Context): void {
  requireLinux(context)
  if (process.getuid?.() !== 0) requireLab(context, 'it needs root')
  requireTool(context, 'ip', ['-V'])
  try {
    closeSync(openSync('/dev/net/tun', 'r+'))
  } catch {
    requireLab(context, '/dev/net/tun cannot be opened')
  }
}

/** Skips the test where an ordinary user cannot run what lies in this clone: that is nothing the machine lacks. */
export function requireReadable(context: Context): void {
  const identity = ['--reuid=65534', '--regid=65534', '--clear-groups', '--', 'test', '-r']
  const mayRead = (path: string) =>
    spawnSync('setpriv', [...identity, path], { stdio: 'ignore' }).status === 0
  if (mayRead(process.execPath) && mayRead(fileURLToPath(import.meta.url))) return
  if (context.test !== undefined) context.test.title += ' [skipped: an ordinary user cannot read this clone]'
  context.skip()
}

/** Runs `ip` with words separated by spaces. Throws with what it said when it fails. */
export function ip(words: string): string {
  return runTool('ip', words.split(' '))
}

/** A network namespace with a name that nobody else uses. */
export class TestNamespace {
  readonly name: string
  readonly path: string

  constructor() {
    this.name = `t${randomBytes(4).toString('hex')}`
    this.path = `/run/netns/${this.name}`
    ip(`netns add ${this.name}`)
    this.run('ip link set lo up')
    this.run('sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1')
  }

  /** Runs a command inside, words separated by spaces, and returns what it printed. */
  run(words: string): string {
    return ip(`netns exec ${this.name} ${words}`)
  }

  /** Waits until the kernel has noticed that a device's cable leads somewhere, or no more: it does so a little later. */
  waitRunning(device: string, running = true): void {
    const sleeper = new Int32Array(new SharedArrayBuffer(4))
    for (let round = 0; round < 3000; round++) {
      if (inNamespace(this.path, () => describeDevice(device)).running === running) return
      Atomics.wait(sleeper, 0, 0, 1)
    }
    throw new Error(`${device} does not change`)
  }

  remove(): void {
    ip(`netns del ${this.name}`)
  }
}
