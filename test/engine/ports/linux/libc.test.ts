import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { checked, inNamespace, LinuxError, libc, Memory } from '../../../../engine/ports/linux/index.ts'
import { requireLinux, requireRoot, TestNamespace } from '../../../support/linux.ts'

const door = fileURLToPath(new URL('../../../../engine/ports/linux/index.ts', import.meta.url))

describe('libc', () => {
  it('can be imported where there is no Linux, and says so when it is used', () => {
    const script = `
      Object.defineProperty(process, 'platform', { value: 'plan9' })
      const { libc, AfPacketPort } = await import(${JSON.stringify(door)})
      for (const use of [libc, () => AfPacketPort.open({ name: 'a', device: 'b' })])
        try { use() } catch (error) { console.log(error.code, error.message) }`
    const run = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    const line = 'unsupported using real ports: this is plan9, not Linux\n'
    expect(run.stdout + run.stderr).to.equal(line + line)
  })

  describe('on Linux', () => {
    before(function () {
      requireLinux(this)
    })

    it('says what was attempted, why it failed and what is missing', () => {
      const needs = { privilege: 'CAP_SOME', feature: 'some option' }
      const attempt = (errno: number): LinuxError => LinuxError.ofErrno(errno, 'trying', needs)
      expect(attempt(1)).to.include({ code: 'forbidden', errno: 'EPERM' })
      expect(attempt(1).message).to.equal('trying: EPERM; it needs root or CAP_SOME')
      expect(attempt(95).message).to.equal('trying: ENOTSUP; it needs some option')
      expect(attempt(95).code).to.equal('unsupported')
      expect(attempt(19).code).to.equal('not-found')
      expect(attempt(16).code).to.equal('busy')
      expect(attempt(22).code).to.equal('invalid')
      expect(attempt(5).code).to.equal('failed')
      expect(() => checked(libc().socket(99, 1, 0), 'opening')).to.throw(LinuxError, /opening: EAFNOSUPPORT/)
    })

    it('maps memory whose address the kernel understands, and gives it back', () => {
      const memory = new Memory(5000)
      expect(memory.length).to.equal(8192)
      const at = memory.reserve(8)
      expect(memory.reserve(20)).to.equal(at + 16)
      expect(() => memory.reserve(9000)).to.throw(RangeError)
      const event = libc().eventfd(7, 0)
      expect(libc().read(event, memory.address + at, 8)).to.equal(8)
      expect(memory.view.getBigUint64(at, true)).to.equal(7n)
      libc().close(event)
      memory.close()
      memory.close()
      expect(memory.bytes).to.have.length(0)
    })
  })
})

describe('an ordinary user', () => {
  before(function () {
    requireRoot(this)
  })

  it('is told which privilege is missing', () => {
    const space = new TestNamespace()
    const script = `
      const { AfPacketPort, TapPort, Tun, inNamespace, disableOffloads, libc } = await import(${JSON.stringify(door)})
      libc()
      process.setgroups([])
      process.setgid(65534)
      process.setuid(65534)
      const uses = [
        () => AfPacketPort.open({ name: 'a', device: 'near' }),
        () => TapPort.open({ name: 'a', device: 'tap0' }),
        () => Tun.open({ device: 'tun0' }),
        () => disableOffloads('near'),
        () => inNamespace('/proc/self/ns/net', () => {}),
      ]
      for (const use of uses)
        try { use() } catch (error) { console.log(error.code, /CAP_[A-Z_]+/.exec(error.message)?.[0]) }`
    try {
      space.run('ip link add name near type veth peer name far')
      const args = ['netns', 'exec', space.name, process.execPath, '--input-type=module', '-e', script]
      const run = spawnSync('ip', args, { encoding: 'utf8' })
      expect((run.stdout + run.stderr).trim().split('\n')).to.deep.equal([
        'forbidden CAP_NET_RAW',
        'forbidden CAP_NET_ADMIN',
        'forbidden CAP_NET_ADMIN',
        'forbidden CAP_NET_ADMIN',
        'forbidden CAP_SYS_ADMIN',
      ])
    } finally {
      space.remove()
    }
  })
})

describe('inNamespace', () => {
  before(function () {
    requireRoot(this)
  })

  it('works inside and comes back, also when the work fails', () => {
    const space = new TestNamespace()
    try {
      const identity = (): string => spawnSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).stdout
      const home = identity()
      const away = inNamespace(space.path, identity)
      expect(away).to.not.equal(home)
      expect(identity()).to.equal(home)
      const failing = (): never =>
        inNamespace(space.path, () => {
          throw new RangeError('inside')
        })
      expect(failing).to.throw(RangeError, 'inside')
      expect(identity()).to.equal(home)
      expect(inNamespace(space.path, () => inNamespace(space.path, identity))).to.equal(away)
      expect(identity()).to.equal(home)
    } finally {
      space.remove()
    }
  })

  it('refuses what is not there and what is no namespace', () => {
    expect(() => inNamespace('/run/netns/nosuch', () => {}))
      .to.throw(LinuxError, /entering the network namespace \/run\/netns\/nosuch: ENOENT/)
      .with.property('code', 'not-found')
    expect(() => inNamespace('/dev/null', () => {}))
      .to.throw(LinuxError)
      .with.property('code', 'invalid')
  })
})
