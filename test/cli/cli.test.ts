import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { commands } from '../../cli/commands/index.ts'
import { StopRequest } from '../../cli/stop.ts'
import { labSchema } from '../../lab/index.ts'
import { SAMPLE } from '../lab/file/sample.ts'
import { FakeBackend, measurementsOf, type } from './world.ts'

describe('the pronto command', () => {
  let folder: string
  let good: string
  let bad: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'pronto-cli-'))
    good = join(folder, 'good.yaml')
    bad = join(folder, 'bad.yaml')
    writeFileSync(good, SAMPLE)
    writeFileSync(bad, SAMPLE.replace('gateway:', 'gatway:'))
  })
  after(() => rmSync(folder, { recursive: true }))

  describe('when it is used wrongly', () => {
    const cases: readonly (readonly [string, readonly string[], string])[] = [
      [
        'an unknown command',
        ['lba'],
        'pronto: pronto has no command lba; did you mean lab?\nusage: pronto help\n',
      ],
      [
        'an unknown second word',
        ['lab', 'rnu', 'x'],
        'pronto: pronto lab has no command rnu; did you mean run?\nusage: pronto help\n',
      ],
      [
        'a missing second word',
        ['lab'],
        'pronto: expected a command after pronto lab: validate, run, up, exec, down, graph, schema\nusage: pronto help\n',
      ],
      [
        'a missing file',
        ['lab', 'run'],
        'pronto: expected FILE: a lab file (YAML)\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a file too many',
        ['lab', 'run', 'a', 'b'],
        'pronto: unexpected argument b\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'an unknown option',
        ['lab', 'run', 'a', '--sede', '4'],
        'pronto: there is no option --sede; did you mean --seed?\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'an option of another command',
        ['lab', 'schema', '--pcap', 'x'],
        'pronto: there is no option --pcap\nusage: pronto lab schema [options]\n',
      ],
      [
        'an option without its value',
        ['lab', 'run', 'a', '--seed'],
        'pronto: --seed needs a value: --seed N\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a flag with a value',
        ['lab', 'run', 'a', '--json=yes'],
        'pronto: --json takes no value, got yes\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'an option given twice',
        ['lab', 'run', 'a', '--seed', '1', '--seed=2'],
        'pronto: --seed is given twice\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a seed that is none',
        ['lab', 'run', 'a', '--seed', '4294967296'],
        'pronto: --seed: expected a whole number from 0 to 4294967295, got 4294967296\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a duration that is none',
        ['lab', 'run', 'a', '--duration', '30'],
        'pronto: --duration: expected a duration such as 500us, 2ms, 5s, 10m or 1h, at most 100 days, got 30\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a backend that is none',
        ['lab', 'run', 'a', '--backend', 'smi'],
        'pronto: --backend: expected sim or netns, got smi; did you mean sim?\nusage: pronto lab run FILE [options]\n',
      ],
      [
        'a format that is none',
        ['lab', 'graph', 'a', '--format', 'dto'],
        'pronto: --format: expected mermaid or dot, got dto; did you mean dot?\nusage: pronto lab graph FILE [options]\n',
      ],
    ]
    for (const [what, words, err] of cases)
      it(`names ${what} and ends with 2`, async () => {
        expect(await type(words, new FakeBackend())).to.deep.equal({ code: 2, out: '', err })
      })
  })

  describe('help', () => {
    it('shows every command with --help, -h, help or nothing', async () => {
      const { code, out } = await type([])
      expect(code).to.equal(0)
      for (const { words } of commands) expect(out).to.contain(`pronto ${words.join(' ')}`)
      for (const words of [['--help'], ['-h'], ['help']]) expect((await type(words)).out).to.equal(out)
    })

    it('puts every command under one heading', async () => {
      const lines = (await type([])).out.split('\n')
      expect(lines.filter((line) => /^\S.*[^.]$/.test(line))).to.include.members([
        'Writing plugins',
        'Real machines',
      ])
      expect(lines.filter((line) => line.startsWith('  pronto '))).to.have.lengthOf(commands.length)
      const listed = JSON.parse((await type(['help', '--json'])).out) as { commands: { group: string }[] }
      expect(listed.commands).to.have.lengthOf(commands.length)
      expect(listed.commands.map(({ group }) => group)).to.include('Writing plugins')
    })

    it('shows a group of commands', async () => {
      const { out } = await type(['lab', '--help'])
      expect(out).to.contain('pronto lab run FILE').and.not.contain('pronto version')
      expect((await type(['help', 'lab'])).out).to.equal(out)
    })

    for (const { words } of commands)
      it(`is there for pronto ${words.join(' ')}, as text and as JSON`, async () => {
        const help = await type([...words, '--help'])
        expect(help).to.include({ code: 0, err: '' })
        expect(help.out)
          .to.contain(`usage: pronto ${words.join(' ')}`)
          .and.contain('--json')
        const json = await type([...words, '--help', '--json'])
        expect(JSON.parse(json.out)).to.include({ command: words.join(' ') })
      })

    it('is asked for before anything else is checked', async () => {
      expect(await type(['lab', 'run', '--help', 'a', 'b'])).to.include({ code: 0 })
    })
  })

  describe('version', () => {
    it('tells package and runtime', async () => {
      expect(await type(['--version'])).to.deep.equal({
        code: 0,
        out: `pronto-router 0.1.0 on Node ${process.version}\n`,
        err: '',
      })
      expect(JSON.parse((await type(['version', '--json'])).out)).to.include({ name: 'pronto-router' })
    })
  })

  describe('lab validate', () => {
    it('says that a lab is valid', async () => {
      const text = `${good}: sample is valid: 3 nodes, 2 links, 1 event, 1 expectation\n`
      expect(await type(['lab', 'validate', good])).to.deep.equal({ code: 0, out: text, err: '' })
      expect(JSON.parse((await type(['lab', 'validate', good, '--json'])).out)).to.include({
        valid: true,
        nodes: 3,
      })
    })

    it('says what is wrong with one, naming file, place and key', async () => {
      const err = `${bad}:6:5: nodes.c1.gatway: unknown key; did you mean gateway?\n`
      expect(await type(['lab', 'validate', bad])).to.deep.equal({ code: 1, out: '', err })
    })

    it('gives the problems as JSON', async () => {
      const { code, out } = await type(['lab', 'validate', bad, '--json'])
      expect(code).to.equal(1)
      const { error } = JSON.parse(out) as { error: { code: string; problems: object[] } }
      expect(error.code).to.equal('unknown-key')
      expect(error.problems).to.deep.equal([
        {
          code: 'unknown-key',
          file: bad,
          line: 6,
          column: 5,
          path: 'nodes.c1.gatway',
          message: 'unknown key; did you mean gateway?',
        },
      ])
    })

    it('says which keys the backend cannot honour', async () => {
      const backend = new FakeBackend({ 'link-rate': 'links have no rate here' })
      expect(await type(['lab', 'validate', good], backend)).to.include({ code: 0 })
      const { code, err } = await type(['lab', 'validate', good, '--backend', 'sim'], backend)
      expect(code).to.equal(1)
      expect(err).to.equal(
        `${good}:22:50: links[0].rate: backend sim cannot do this: links have no rate here\n`,
      )
    })
  })

  describe('lab run', () => {
    it('prints the summary and ends with 0 when all is as expected', async () => {
      const backend = new FakeBackend()
      const { code, out, err } = await type(['lab', 'run', good], backend)
      expect({ code, err }).to.deep.equal({ code: 0, err: '' })
      expect(out).to.contain('✓ clients.c1[0].failed == 0')
      expect(backend.calls.map(({ how }) => how)).to.deep.equal(['run'])
    })

    it('prints the report as one JSON document', async () => {
      const ticks = [0, 0, 1000]
      const clock = () => ticks.shift() ?? 1000
      const { out } = await type(['lab', 'run', good, '--json'], new FakeBackend(), { clock })
      const report = JSON.parse(out) as Record<string, unknown>
      expect(report).to.include({ lab: 'sample', backend: 'sim', seed: 1, conservation: true })
      expect(report['expectations']).to.deep.equal([
        { path: 'clients.c1[0].failed', is: '== 0', actual: 0, met: true },
      ])
      expect(report['wall']).to.deep.equal({ seconds: 1 })
    })

    it('ends with 1 when an expectation is not met', async () => {
      const backend = new FakeBackend()
      backend.behaviour = async (lab) => ({ ...measurementsOf(lab), clients: {} })
      const { code, out } = await type(['lab', 'run', good], backend)
      expect(code).to.equal(1)
      expect(out).to.contain(
        '✗ clients.c1[0].failed == 0: not in the report: clients has no c1; it has nothing',
      )
    })

    it('gives seed, duration and capture folder to the backend', async () => {
      const backend = new FakeBackend()
      const captures = join(folder, 'captures', 'deep')
      await type(['lab', 'run', good, '--seed', '9', '--duration=30s', '--pcap', captures], backend)
      const [{ lab, options }] = backend.calls as [(typeof backend.calls)[number]]
      expect(lab).to.include({ seed: 9, durationNs: 30e9 })
      expect(options?.captureFolder).to.equal(captures)
      expect(readdirSync(captures)).to.deep.equal([])
    })

    it('writes the report to a file', async () => {
      const file = join(folder, 'report.json')
      await type(['lab', 'run', good, '--report', file], new FakeBackend())
      expect(JSON.parse(readFileSync(file, 'utf8'))).to.include({ lab: 'sample' })
    })

    it('looks before the run whether captures can be written', async () => {
      const backend = new FakeBackend()
      const { code, err } = await type(['lab', 'run', good, '--pcap', join(good, 'below')], backend)
      expect(code).to.equal(1)
      expect(err).to.match(/^pronto: --pcap: cannot write to .*below: ENOTDIR/)
      expect(err).to.not.contain('fault of pronto')
    })

    it('looks before the run whether the report can be written', async () => {
      const backend = new FakeBackend()
      const { code, err } = await type(['lab', 'run', good, '--report', join(folder, 'none', 'x')], backend)
      expect(code).to.equal(1)
      expect(err).to.contain('--report: expected a folder that can be written to')
      expect(backend.calls).to.deep.equal([])
    })

    it('refuses a lab that would never end', async () => {
      const endless = join(folder, 'endless.yaml')
      writeFileSync(endless, SAMPLE.replace('count: 1000, ', ''))
      const backend = new FakeBackend()
      const { code, err } = await type(['lab', 'run', endless], backend)
      expect(code).to.equal(1)
      expect(err).to.contain('nodes.c1.clients[0]: never ends')
      expect(await type(['lab', 'run', endless, '--duration', '9s'], backend)).to.include({ code: 0 })
      expect(await type(['lab', 'up', endless], backend)).to.include({ code: 0 })
    })

    it('says that a backend is not available', async () => {
      expect(await type(['lab', 'run', good, '--backend', 'netns'])).to.deep.equal({
        code: 1,
        out: '',
        err: 'pronto: backend netns is not available: there is none in this test\n',
      })
    })

    it('ends as shells count a signal when it was stopped', async () => {
      const controller = new AbortController()
      const backend = new FakeBackend()
      backend.behaviour = async (_lab, { signal }) => {
        controller.abort(new StopRequest('SIGINT'))
        throw signal.reason
      }
      const stop = { claim: () => controller.signal }
      expect(await type(['lab', 'run', good], backend, { stop })).to.deep.equal({
        code: 130,
        out: '',
        err: 'pronto: stopped by SIGINT\n',
      })
    })

    it('tells a fault of its own with the stack', async () => {
      const backend = new FakeBackend()
      backend.behaviour = async () => {
        throw new TypeError('oops')
      }
      const { code, err } = await type(['lab', 'run', good], backend)
      expect(code).to.equal(1)
      expect(err).to.contain('this is a fault of pronto itself: TypeError: oops').and.contain('cli.test.ts')
    })

    it('shows progress to a person, after a second, and takes it away', async () => {
      let now = 0
      const backend = new FakeBackend()
      backend.behaviour = async (lab, { onProgress }) => {
        for (now = 0; now <= 2000; now += 10)
          onProgress({ virtualNs: now * 1e6, untilNs: 10e9, packets: now * 1000 })
        return measurementsOf(lab)
      }
      const { err } = await type(['lab', 'run', good], backend, { tty: true, clock: () => now })
      const shown = err.split('\r\u001b[2K')
      expect(shown).to.have.length(13)
      expect(shown[1]).to.equal('1.0 of 10.0 virtual seconds, 1,000,000 packets, 1 s')
      expect(shown.at(-1)).to.equal('')
      expect((await type(['lab', 'run', good], backend, { clock: () => now })).err).to.equal('')
    })
  })

  describe('lab up', () => {
    it('ends with 0 when the user ends it', async () => {
      const controller = new AbortController()
      const backend = new FakeBackend()
      backend.behaviour = async (lab) => {
        controller.abort(new StopRequest('SIGINT'))
        return { ...measurementsOf(lab), clients: {} }
      }
      const stop = { claim: () => controller.signal }
      expect(await type(['lab', 'up', good], backend, { stop })).to.include({ code: 0 })
      expect(backend.calls.map(({ how }) => how)).to.deep.equal(['up'])
    })
  })

  describe('lab down', () => {
    it('tells what was removed', async () => {
      expect(await type(['lab', 'down', good], new FakeBackend())).to.deep.equal({
        code: 0,
        out: 'removed namespace c1\nsample is down\n',
        err: '',
      })
    })
  })

  describe('lab graph and lab schema', () => {
    it('draws', async () => {
      expect((await type(['lab', 'graph', good])).out).to.match(/^graph LR\n/)
      expect((await type(['lab', 'graph', good, '--format', 'dot'])).out).to.match(/^graph "sample" \{\n/)
      expect(JSON.parse((await type(['lab', 'graph', good, '--json'])).out)).to.have.all.keys(
        'lab',
        'nodes',
        'links',
      )
    })

    it('prints the schema', async () => {
      expect(JSON.parse((await type(['lab', 'schema'])).out)).to.deep.equal(
        JSON.parse(JSON.stringify(labSchema)),
      )
    })
  })

  describe('colour', () => {
    const words = () => ['lab', 'run', good]
    const coloured = '\u001b['
    it('is there on a terminal only, and never with NO_COLOR', async () => {
      const run = (tty: boolean, environment: Record<string, string> = {}) =>
        type(words(), new FakeBackend(), { tty, environment })
      expect((await run(true)).out).to.contain(coloured)
      expect((await run(false)).out).to.not.contain(coloured)
      expect((await run(true, { NO_COLOR: '1' })).out).to.not.contain(coloured)
      expect((await run(true, { TERM: 'dumb' })).out).to.not.contain(coloured)
      expect((await run(false, { FORCE_COLOR: '1' })).out).to.contain(coloured)
      expect((await run(true, { FORCE_COLOR: '1', NO_COLOR: '1' })).out).to.not.contain(coloured)
    })
  })
})
