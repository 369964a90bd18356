import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { Batch } from '../../../execution-env/sandbox/batch.ts'
import { confine } from '../../../execution-env/sandbox/confinement.ts'
import { vet } from '../../../execution-env/sandbox/vetting.ts'
import { requireReadable } from '../../support/linux.ts'
import { requireLab } from '../../support/oracle.ts'
import {
  AT,
  call,
  codeOf,
  isAlive,
  loaded,
  nowNs,
  OPTIONS,
  openSandbox,
  resultOf,
  settle,
  until,
} from './rig.ts'

const limits = { bootMs: 60_000, deadlineMs: 60_000, graceMs: 60_000 }
const ECHO = codeOf('return argument')
const opened: ReturnType<typeof openSandbox>[] = []

function open(options: Parameters<typeof openSandbox>[0] = {}): ReturnType<typeof openSandbox> {
  const rig = openSandbox({ limits, ...options })
  opened.push(rig)
  return rig
}

describe('ProcessSandbox', () => {
  afterEach(async () => {
    for (const { sandbox } of opened.splice(0)) await sandbox.close()
  })

  describe('when it starts', () => {
    it('starts with the first poll and tells when it serves', async () => {
      const { sandbox, events } = open()
      expect(sandbox.stats()).to.include({ state: 'starting', starts: 0, pid: undefined })
      expect(sandbox.readFd).to.equal(undefined)
      sandbox.poll(0)
      expect(events).to.deep.equal([{ kind: 'serving', starts: 1 }])
      expect(sandbox.stats()).to.include({ kind: 'process', state: 'serving', starts: 1, crashes: 0 })
      expect(sandbox.readFd).to.be.a('number')
      expect(isAlive(sandbox.stats().pid!)).to.equal(true)
    })

    it('takes requests before it serves', async () => {
      const { sandbox } = open({ blocking: false })
      expect((await loaded(sandbox, 'a', ECHO)).calls).to.deep.equal(['run'])
    })

    it('leaves the caller free while it boots, when polled', async () => {
      const { sandbox } = open({ blocking: false })
      sandbox.poll(0)
      expect(sandbox.stats().state).to.equal('starting')
      expect(sandbox.pollAt()).to.be.lessThan(Number.POSITIVE_INFINITY)
      await settle(sandbox)
    })

    it('says why when it cannot', async () => {
      const program = fileURLToPath(new URL('./no-such-program.ts', import.meta.url))
      const { sandbox, events } = open({ program })
      let failed = ''
      sandbox.load('a', ECHO, OPTIONS, AT, (reply) => {
        failed = reply.ok ? 'loaded' : reply.failure.code
      })
      // The first crash is followed by a start at once, the second by a wait.
      sandbox.poll(0)
      expect(failed).to.equal('crashed')
      const [crash] = events
      expect(crash).to.include({ kind: 'crashed', reason: 'died', culprit: undefined })
      expect(crash?.kind === 'crashed' && crash.detail).to.contain('no-such-program')
      expect(sandbox.stats()).to.include({ state: 'waiting', crashes: 2 })
      expect(sandbox.pollAt()).to.equal(1e8)
    })

    it('gives up a boot that takes too long', () => {
      const program = fileURLToPath(new URL('./mute-program.ts', import.meta.url))
      const { sandbox, events } = open({ blocking: false, program, limits: { ...limits, bootMs: 1 } })
      sandbox.poll(0)
      sandbox.poll(1e6)
      expect(events).to.have.length(1)
      expect(events[0]).to.include({ kind: 'crashed', reason: 'start', culprit: undefined })
    })
  })

  describe('when its process is killed', () => {
    it('fails the next call without blame, starts another at once, and can be loaded again', async () => {
      const { sandbox, events } = open()
      await loaded(sandbox, 'a', ECHO)
      const { pid } = sandbox.stats()
      process.kill(pid!, 'SIGKILL')
      await until(() => !isAlive(pid!))
      const reply = await call(sandbox, 'a', 'run', 1)
      expect(reply.ok ? 'no failure' : reply.failure).to.include({ code: 'crashed', blamed: false })
      expect(events.map((event) => event.kind)).to.deep.equal(['serving', 'crashed', 'serving'])
      expect(events[1]).to.deep.include({ reason: 'died', culprit: undefined, lost: ['a'] })
      await loaded(sandbox, 'a', ECHO)
      expect(await resultOf(sandbox, 'a', 'run', 5)).to.equal(5)
      expect(sandbox.stats().pid).not.to.equal(pid)
    })

    it('notices without being asked, when polled', async () => {
      const { sandbox, events } = open({ blocking: false })
      await loaded(sandbox, 'a', ECHO)
      process.kill(sandbox.stats().pid!, 'SIGKILL')
      await until(() => {
        sandbox.poll(0)
        return events.length === 3
      })
      expect(events[1]).to.deep.include({ kind: 'crashed', reason: 'died', lost: ['a'] })
    })

    it('is killed on request, deterministically and without blame', async () => {
      const { sandbox, events } = open()
      await loaded(sandbox, 'a', ECHO)
      sandbox.kill(7)
      expect(sandbox.stats()).to.deep.include({ state: 'waiting', instances: {} })
      expect(sandbox.pollAt()).to.equal(Number.NEGATIVE_INFINITY)
      sandbox.poll(7)
      expect(events.slice(1)).to.deep.equal([
        { kind: 'crashed', reason: 'killed', culprit: undefined, lost: ['a'], detail: '' },
        { kind: 'serving', starts: 2 },
      ])
    })

    it('waits longer and longer, on the time line of poll, and refuses meanwhile', async () => {
      const { sandbox, events } = open({ restart: { firstDelayNs: 100, calmNs: 1e15 } })
      sandbox.poll(0)
      sandbox.kill(1_000)
      sandbox.poll(1_000)
      sandbox.kill(2_000)
      expect(sandbox.poll(2_000)).to.equal(0)
      expect([sandbox.stats().state, sandbox.pollAt()]).to.deep.equal(['waiting', 2_100])
      let refused = ''
      sandbox.load('a', ECHO, OPTIONS, AT, (reply) => {
        refused = reply.ok ? 'loaded' : reply.failure.code
      })
      sandbox.poll(2_099)
      expect([refused, sandbox.stats().state]).to.deep.equal(['unavailable', 'waiting'])
      sandbox.poll(2_100)
      expect(sandbox.stats()).to.include({ state: 'serving', starts: 3 })
      expect(events.filter((event) => event.kind === 'serving')).to.have.length(3)
    })

    it('replies to every request exactly once, wherever the kill falls (R-PR-02)', async () => {
      const { sandbox } = open({ blocking: false, restart: { calmNs: 0, crashesMax: 100 } })
      let posted = 0
      let replied = 0
      let answered = 0
      const count = (ok: boolean): void => {
        replied++
        if (ok) answered++
      }
      for (let round = 0; round < 8; round++) {
        await loaded(
          sandbox,
          'a',
          vet(
            `module.exports = { calls: { run: (host, n) => n },
          batches: { decide: (host, input, output, count) => { output.set(input.subarray(0, count)) } } }`,
            'p.js',
          ),
        )
        const { pid } = sandbox.stats()
        const batches = Array.from(
          { length: 20 },
          () => new Batch({ capacity: 16, inputWords: 1, outputWords: 1 }),
        )
        for (const [at, batch] of batches.entries()) {
          batch.count = 16
          sandbox.decide('a', 'decide', batch, AT, (given) => count(given.failure === undefined))
          sandbox.call('a', 'run', 'x'.repeat(10_000), AT, (reply) => count(reply.ok))
          posted += 2
          if (at === round * 2) process.kill(pid!, 'SIGKILL')
          if (at % 3 === 0) sandbox.poll(nowNs())
        }
        await until(() => {
          sandbox.poll(nowNs())
          return (
            replied === posted && sandbox.stats().state === 'serving' && sandbox.stats().crashes === round + 1
          )
        })
      }
      expect(replied).to.equal(posted)
      expect(sandbox.stats()).to.include({ starts: 9, crashes: 8, outstanding: 0 })
      expect(answered).to.be.lessThan(posted)
    })
  })

  describe('when a call does not come back', () => {
    it('blames the call under way, not those that wait, and lets others go on elsewhere', async () => {
      const { sandbox, events } = open({ blocking: false, limits: { ...limits, deadlineMs: 0, graceMs: 1 } })
      const rig = codeOf('if (argument === "hang") for (;;); return argument')
      await loaded(sandbox, 'a', rig, { limits: { callMs: 30_000 } })
      await loaded(sandbox, 'b', ECHO)
      const failures: [string, boolean][] = []
      for (const [instance, argument] of [
        ['b', 1],
        ['a', 'hang'],
        ['b', 2],
        ['a', 3],
      ] as const)
        sandbox.call(instance, 'run', argument, { now: 0, clock: 0 }, (reply) => {
          failures.push(
            reply.ok ? [`value ${reply.value}`, false] : [reply.failure.code, reply.failure.blamed],
          )
        })
      await until(() => {
        sandbox.poll(0)
        return failures.length === 1
      })
      // The deadline passes on the time line of poll.
      sandbox.poll(29e9)
      expect(failures).to.have.length(1)
      sandbox.poll(31e9)
      expect(failures).to.deep.equal([
        ['value 1', false],
        ['crashed', true],
        ['crashed', false],
        ['crashed', false],
      ])
      expect(events[1]).to.deep.include({
        kind: 'crashed',
        reason: 'deadline',
        culprit: 'a',
        lost: ['a', 'b'],
      })
    })
  })

  describe('when too much is asked at once', () => {
    it('refuses what is over its limits, and answers the rest', async () => {
      const { sandbox } = open({ blocking: false, limits: { ...limits, outstanding: 50, instances: 2 } })
      await loaded(sandbox, 'a', ECHO)
      await loaded(sandbox, 'b', ECHO)
      const codes: string[] = []
      sandbox.load('c', ECHO, OPTIONS, AT, (reply) => codes.push(reply.ok ? 'loaded' : reply.failure.code))
      for (let number = 0; number < 60; number++)
        sandbox.call('a', 'run', number, AT, (reply) => codes.push(reply.ok ? 'ok' : reply.failure.code))
      await settle(sandbox)
      expect(codes.filter((code) => code === 'limit')).to.have.length(11)
      expect(codes.filter((code) => code === 'ok')).to.have.length(50)
    })

    it('takes arguments and gives results of megabytes', async () => {
      for (const blocking of [true, false]) {
        const { sandbox } = open({ blocking })
        await loaded(sandbox, 'a', codeOf('return argument + argument'), { limits: { memoryBytes: 128e6 } })
        const text = 'grüße '.repeat(200_000)
        expect(await resultOf(sandbox, 'a', 'run', text)).to.equal(text + text)
      }
    })

    it('gives every instance the memory that it may have, and no more', async () => {
      const { sandbox } = open()
      // 8 MB of numbers a step, on the heap of the language.
      const body =
        'const all = []; for (let n = 0; n < argument; n++) all.push(new Array(1e6).fill(n + 0.5)); return all.length'
      for (const [memoryBytes, steps, ends] of [
        [16e6, 1, 'ok'],
        [16e6, 8, 'memory'],
        [256e6, 20, 'ok'],
      ] as const) {
        await loaded(sandbox, 'a', codeOf(body), { limits: { memoryBytes, callMs: 60_000 } })
        const reply = await call(sandbox, 'a', 'run', steps)
        expect(reply.ok ? 'ok' : reply.failure.code, `${memoryBytes} ${steps}`).to.equal(ends)
        sandbox.unload('a')
      }
    })

    it('gives back what instances took, load after load', async function () {
      if (process.platform !== 'linux') requireLab(this, 'memory is looked at in /proc')
      const { sandbox } = open()
      await loaded(sandbox, 'stays', ECHO)
      const resident = (): number =>
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${sandbox.stats().pid}/status`, 'utf8'))?.[1])
      const turn = async (): Promise<void> => {
        await loaded(sandbox, 'a', codeOf(`return 1 /* ${'x'.repeat(50_000)} */`))
        sandbox.unload('a')
        await settle(sandbox)
      }
      for (let round = 0; round < 30; round++) await turn()
      const before = resident()
      for (let round = 0; round < 60; round++) await turn()
      // An isolate that stayed would be 1.5 MB.
      expect(resident() - before).to.be.lessThan(60 * 500)
      expect(await resultOf(sandbox, 'stays', 'run', 1)).to.equal(1)
    })
  })

  describe('when the router ends', () => {
    const program = fileURLToPath(new URL('./abandoned-router.ts', import.meta.url))
    const abandoned = async (how: string): Promise<{ router: ChildProcess; pid: number }> => {
      const router = spawn(process.execPath, [program, how], { stdio: ['ignore', 'pipe', 'inherit'] })
      const pid = await new Promise<number>((resolve) => {
        router.stdout!.once('data', (bytes: Buffer) => resolve(Number(bytes.toString())))
      })
      expect(pid).to.be.greaterThan(0)
      return { router, pid }
    }

    it('leaves no process behind: killed while idle or busy, or ended without closing the sandbox', async () => {
      const [idle, busy, careless] = await Promise.all(['idle', 'busy', 'careless'].map(abandoned))
      for (const each of [idle!, busy!]) {
        expect(isAlive(each.pid)).to.equal(true)
        each.router.kill('SIGKILL')
      }
      for (const each of [idle!, busy!, careless!]) await until(() => !isAlive(each.pid))
      await until(() => careless!.router.exitCode === 0)
    })

    it('is gone when close resolves', async () => {
      const { sandbox } = open()
      await loaded(sandbox, 'a', ECHO)
      const { pid } = sandbox.stats()
      await sandbox.close()
      expect(isAlive(pid!)).to.equal(false)
    })
  })

  describe('when it is confined', () => {
    it('has what this machine can give, and says what it cannot (R-PR-02)', async function () {
      if (process.platform !== 'linux') requireLab(this, 'confinement is looked at in /proc')
      const { sandbox } = open()
      await loaded(sandbox, 'a', ECHO)
      const { pid, confinement } = sandbox.stats()
      const read = (name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8')
      const status = read('status')
      const inForce = new Set(confinement.inForce)
      if (inForce.has('no new privileges')) expect(status).to.match(/NoNewPrivs:\s+1/)
      if (inForce.has('no capabilities'))
        for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
          expect(status, set).to.match(new RegExp(`${set}:\\s+0{16}\n`))
      if (inForce.has('no network')) {
        expect(readlinkSync(`/proc/${pid}/ns/net`)).not.to.equal(readlinkSync('/proc/self/ns/net'))
        expect(read('net/route').trim().split('\n')).to.have.length(1)
      }
      if (inForce.has('process limits')) {
        expect(read('limits')).to.match(/Max core file size\s+0\s+0/)
        expect(read('limits')).to.match(/Max open files\s+64\s+64/)
      }
      expect(read('environ')).to.equal('')
      expect(readlinkSync(`/proc/${pid}/cwd`)).to.contain('(deleted)')
      expect(read('oom_score_adj').trim()).to.equal('1000')
      // A session of its own: the terminal's signals are for the router.
      expect(read('stat').split(') ')[1]!.split(' ')[3]).to.equal(String(pid))
      const files = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      expect(
        files.filter((file) => /^\/(?!dev\/null)/.test(file)).every((file) => file.includes('(deleted)')),
      ).to.equal(true)
      expect([...inForce, ...confinement.missing]).to.include.members(confine().inForce)
    })

    it('runs as another user where that is asked for and possible', async function () {
      if (process.getuid?.() !== 0) requireLab(this, 'only a privileged router can change the user')
      requireReadable(this)
      const { sandbox } = open({ user: { uid: 65_534, gid: 65_534 } })
      await loaded(sandbox, 'a', ECHO)
      expect(await resultOf(sandbox, 'a', 'run', 1)).to.equal(1)
      expect(readFileSync(`/proc/${sandbox.stats().pid}/status`, 'utf8')).to.match(/Uid:\s+65534\s+65534/)
      expect(sandbox.stats().confinement.inForce).to.include('own user')
    })

    it('runs as a user that nobody else has, each for itself, where that is to be had', async function () {
      if (process.getuid?.() !== 0) requireLab(this, 'only a privileged router can change the user')
      const users = await Promise.all(
        [1, 2].map(async () => {
          const { sandbox } = open({ user: 'own' })
          await loaded(sandbox, 'a', ECHO)
          const { pid, confinement } = sandbox.stats()
          const [, user] = /Uid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!
          expect(confinement[user === '0' ? 'missing' : 'inForce']).to.include('own user')
          return user
        }),
      )
      requireReadable(this)
      expect(new Set(users).size).to.equal(2)
    })
  })
})
