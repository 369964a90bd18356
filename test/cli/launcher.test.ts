import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, afterEach, before, describe, it } from 'mocha'
import { requireLab } from '../support/oracle.ts'
import { isGoneWithin, Launched, machineNodeMajor, makeClone, pause } from './launched.ts'

/** Longer than what counts as one request. */
const LATER_MS = 650

describe('launcher', () => {
  let clone: string
  let bare: string
  before(() => {
    clone = makeClone()
    bare = makeClone('missing')
  })
  after(() => {
    rmSync(clone, { recursive: true })
    rmSync(bare, { recursive: true })
  })

  const started: Launched[] = []
  afterEach(() => {
    for (const each of started.splice(0)) each.clean()
  })
  const keep = (launched: Launched): Launched => {
    started.push(launched)
    return launched
  }

  const runtimes: readonly (readonly [string, (words: readonly string[], group?: boolean) => Launched])[] = [
    [
      "the machine's Node",
      (words, group = false) =>
        keep(new Launched('/usr/bin/env', ['node', join(clone, 'cli', 'launcher.mjs'), ...words], { group })),
    ],
    [
      'the pinned Node',
      (words, group = false) =>
        keep(new Launched(process.execPath, [join(clone, 'cli', 'launcher.mjs'), ...words], { group })),
    ],
  ]

  for (const [name, start] of runtimes)
    describe(`when it is started by ${name}`, () => {
      before(function () {
        if (name.startsWith('the machine') && machineNodeMajor() === undefined)
          requireLab(this, 'there is no Node of the machine in the path')
      })

      it('runs the command on Node 26 with all arguments and without traces in its environment', async () => {
        const launched = start(['tell', '--json', 'a b', ''])
        expect(await launched.ended, launched.err).to.equal(0)
        const told = JSON.parse(launched.out.split('\n')[1]!) as { argv: string[]; node: string; pipe: null }
        expect(told).to.deep.include({ argv: ['tell', '--json', 'a b', ''], pipe: null })
        expect(told.node).to.match(/^v26\./)
      })

      it('passes standard input on', async () => {
        const launched = start(['echo'])
        launched.process.stdin?.end('some input')
        expect(await launched.ended).to.equal(0)
        expect(launched.out).to.contain('some input')
      })

      it('ends with the exit code of the command', async () => {
        expect(await start(['exit', '0']).ended).to.equal(0)
        expect(await start(['exit', '7']).ended).to.equal(7)
      })

      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        it(`lets the command end in order on ${signal}`, async () => {
          const launched = start(['orderly'])
          await launched.until('ready')
          launched.signal(signal)
          expect(await launched.ended, launched.err).to.equal(0)
          expect(launched.out).to.contain(`stopping ${signal}\nstopped\n`)
        })

      it('counts a Ctrl-C once, though terminal, launcher and npm all tell it', async () => {
        const launched = start(['orderly'], true)
        await launched.until('ready')
        launched.signalGroup('SIGINT')
        launched.signal('SIGINT')
        expect(await launched.ended, launched.err).to.equal(0)
        expect(launched.out.match(/stopping/g)).to.have.length(1)
      })

      it('ends a command that does not stop at the second Ctrl-C', async () => {
        const launched = start(['stubborn'], true)
        await launched.until('ready')
        launched.signalGroup('SIGINT')
        await launched.until('stopping')
        await pause(LATER_MS)
        launched.signalGroup('SIGINT')
        expect(await launched.ended).to.be.oneOf([130, 'SIGINT'])
        expect(await isGoneWithin(launched.commandPid, 1000)).to.equal(true)
      })

      it('ends a command that cares for no signal at the first, as the signal would', async () => {
        for (const [signal, code] of [
          ['SIGTERM', 143],
          ['SIGQUIT', 131],
        ] as const) {
          const launched = start(['careless'])
          await launched.until('ready')
          launched.signal(signal)
          expect(await launched.ended).to.be.oneOf([code, signal])
          expect(await isGoneWithin(launched.commandPid, 1000)).to.equal(true)
        }
      })

      it('leaves nothing behind when it is killed', async () => {
        const launched = start(['orderly'])
        await launched.until('ready')
        launched.signal('SIGKILL')
        expect(await isGoneWithin(launched.commandPid, 3000)).to.equal(true)
      })
    })

  describe('when it runs the command in a process of its own', () => {
    before(function () {
      const major = machineNodeMajor()
      if (major === undefined || major >= 26)
        requireLab(this, 'the Node of the machine is missing, or needs no other one')
    })
    const start = (words: readonly string[]) => runtimes[0]![1](words)

    it('ends with 128 + n when the command was ended by signal n', async () => {
      expect(await start(['die', 'SIGKILL']).ended).to.equal(137)
    })

    it('gets rid of a command that is too busy: at the third request, or when it is killed itself', async () => {
      const [asked, killed] = [start(['busy']), start(['busy'])]
      await Promise.all([asked.until('ready'), killed.until('ready')])
      await pause(400)
      killed.signal('SIGKILL')
      for (let times = 0; times < 3; times++) {
        asked.signal('SIGINT')
        await pause(LATER_MS)
      }
      expect(await asked.ended).to.equal(137)
      expect(await isGoneWithin(killed.commandPid, 10_000)).to.equal(true)
    })

    it('says what to install when the runtime lacks a library', async () => {
      const launched = keep(
        new Launched('/usr/bin/env', ['node', join(clone, 'cli', 'launcher.mjs'), 'exit', '127']),
      )
      expect(await launched.ended).to.equal(1)
      expect(launched.err).to.contain('cannot be loaded on this machine').and.contain('libatomic1')
    })

    it('says which package is missing and how to get it', async () => {
      const launched = keep(new Launched('/usr/bin/env', ['node', join(bare, 'cli', 'launcher.mjs'), 'tell']))
      expect(await launched.ended).to.equal(1)
      expect(launched.err).to.match(
        /^pronto: the package node-(bin-)?(linux|darwin)-(x64|arm64) is not installed/,
      )
      expect(launched.err).to.contain('npm install')
    })
  })

  describe('when no pinned runtime is installed, but its own Node is young enough', () => {
    it('runs the command itself', async () => {
      const launched = keep(new Launched(process.execPath, [join(bare, 'cli', 'launcher.mjs'), 'exit', '3']))
      expect(await launched.ended, launched.err).to.equal(3)
    })
  })
})
