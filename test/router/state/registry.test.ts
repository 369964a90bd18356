import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type AppliedConfiguration, type RegistryEntry, versionOf } from '../../../router/state/entry.ts'
import { StateError } from '../../../router/state/errors.ts'
import { fileOf, Registry } from '../../../router/state/registry.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { Dead, ModelDisk } from './model-disk.ts'

const ROOT = '/state'

/** Writing, flushing, renaming and flushing the folder: of the bundle, of the registry, and of the registry again. */
const DISK_STEPS = 12

function bundle(text: string): Uint8Array {
  return new TextEncoder().encode(`bundle ${text}`)
}

function entry(id: string, text: string, more: Partial<RegistryEntry> = {}): RegistryEntry {
  return {
    id,
    file: fileOf(bundle(text)),
    name: id,
    version: '1.0.0',
    config: { servers: [text] },
    priority: 0,
    limits: {},
    trusted: false,
    installedMs: 1,
    by: 'test',
    ...more,
  }
}

function folder(): string {
  return temporaryFolder('pronto-registry-')
}

/** What a registry holds, with the bundle behind every name. */
function contentOf(registry: Registry): string {
  const configuration = registry.readConfiguration()?.text ?? ''
  const texts = registry.entries.map((each) => {
    const files = [each.file, ...(each.previous === undefined ? [] : [each.previous.file])]
    return `${each.id}: ${files.map((file) => new TextDecoder().decode(registry.readBundle(file))).join(' < ')}`
  })
  return [...texts, ...(configuration === '' ? [] : [configuration])].join('; ')
}

const CONFIGURATION: AppliedConfiguration = {
  file: 'r.yaml',
  folder: '/etc',
  text: 'name: r1',
  declarations: { a: 'd' },
  stopped: false,
}

/** One life of a registry: every kind of write that a router makes to it, step by step. */
const LIFE: readonly ((registry: Registry) => void)[] = [
  (registry) => registry.writeConfiguration(CONFIGURATION),
  (registry) => registry.put(entry('a', 'a1'), bundle('a1')),
  (registry) => registry.put(entry('b', 'b1'), bundle('b1')),
  (registry) => registry.writeConfiguration({ ...CONFIGURATION, text: 'name: r2', stopped: true }),
  (registry) => registry.put(entry('a', 'a2', { previous: versionOf(entry('a', 'a1')) }), bundle('a2')),
  (registry) => registry.put(entry('a', 'a1')),
  (registry) => registry.remove('b'),
  (registry) => registry.put(entry('c', 'a1')),
  (registry) => registry.remove('a'),
]

/** What the registry holds after each part of its life, the beginning first. */
function history(): string[] {
  const registry = Registry.open(ROOT, new ModelDisk())
  const states = LIFE.map((act) => {
    act(registry)
    return contentOf(registry)
  })
  return ['', ...states]
}

/** Lives until the disk dies; answers how many acts were acknowledged. */
function live(disk: ModelDisk): number {
  let done = 0
  try {
    const registry = Registry.open(ROOT, disk)
    for (const act of LIFE) {
      act(registry)
      done++
    }
  } catch (error) {
    if (!(error instanceof Dead)) throw error
  }
  return done
}

function stepsOf(): number {
  const disk = new ModelDisk()
  expect(live(disk)).to.equal(LIFE.length)
  return disk.steps
}

describe('Registry', () => {
  it('remembers what it was told', () => {
    const place = folder()
    const registry = Registry.open(place)
    registry.put(entry('a', 'a1', { allow: { flows: { to: ['10.0.0.0/8'] } } }), bundle('a1'))
    registry.put(entry('b', 'b1'), bundle('b1'))
    registry.writeConfiguration(CONFIGURATION)
    const again = Registry.open(place)
    expect(again.entries).to.deep.equal(registry.entries)
    expect(contentOf(again)).to.equal('a: bundle a1; b: bundle b1; name: r1')
    expect(again.readConfiguration()).to.deep.equal(CONFIGURATION)
  })

  it('keeps only the bundles that count, readable for nobody else', () => {
    const place = folder()
    const registry = Registry.open(place)
    registry.put(entry('a', 'a1'), bundle('a1'))
    registry.put(entry('a', 'a2', { previous: versionOf(entry('a', 'a1')) }), bundle('a2'))
    expect(readdirSync(join(place, 'bundles'))).to.have.length(2)
    registry.put(entry('a', 'a2'))
    expect(readdirSync(join(place, 'bundles'))).to.deep.equal([`${fileOf(bundle('a2'))}.pronto`])
    registry.remove('a')
    expect(readdirSync(join(place, 'bundles'))).to.deep.equal([])
    expect(statSync(join(place, 'registry.json')).mode & 0o777).to.equal(0o600)
    expect(statSync(join(place, 'bundles')).mode & 0o777).to.equal(0o700)
  })

  describe('when the router is killed (kill -9) between any two writes', () => {
    it('comes back with what was acknowledged, or with what was being done', () => {
      const states = history()
      const steps = stepsOf()
      expect(steps).to.be.greaterThan(40)
      for (let dieAt = 0; dieAt < steps; dieAt++) {
        const disk = new ModelDisk()
        disk.dieAt = dieAt
        const done = live(disk)
        const found = contentOf(Registry.open(ROOT, disk.afterKill()))
        expect([states[done], states[done + 1]], `killed at step ${dieAt}`).to.include(found)
      }
    })
  })

  describe('when the power fails between any two writes', () => {
    it('comes back with what was acknowledged, or with what was being done', () => {
      const states = history()
      const steps = stepsOf()
      fc.assert(
        fc.property(fc.nat(steps - 1), fc.infiniteStream(fc.boolean()), (dieAt, luck) => {
          const disk = new ModelDisk()
          disk.dieAt = dieAt
          const done = live(disk)
          const after = disk.afterPowerLoss(() => luck.next().value as boolean)
          const found = contentOf(Registry.open(ROOT, after))
          expect([states[done], states[done + 1]]).to.include(found)
        }),
        { numRuns: 1_500 },
      )
    })
  })

  describe('when a real process is killed (SIGKILL) at a step of a real disk', () => {
    it('comes back whole', async () => {
      const child = fileURLToPath(new URL('./killed-child.ts', import.meta.url))
      const runs = Array.from({ length: DISK_STEPS + 1 }, (_, index) => index + 1).map(async (step) => {
        const place = folder()
        Registry.open(place).put(entry('a', 'a1'), bundle('a1'))
        const signal = await new Promise((settle, reject) => {
          const running = spawn(process.execPath, [child, place, `${step}`], { stdio: 'inherit' })
          running.on('error', reject).on('exit', (_, by) => settle(by))
        })
        // One step more than there are: it lives to its end.
        expect(signal, `step ${step}`).to.equal(step > DISK_STEPS ? null : 'SIGKILL')
        const registry = Registry.open(place)
        expect(['a: bundle a1', 'a: bundle a2 < bundle a1']).to.include(contentOf(registry))
        expect(readdirSync(place).sort()).to.deep.equal(['bundles', 'registry.json'])
        registry.put(entry('b', 'b1'), bundle('b1'))
        expect(Registry.open(place).get('b')?.version).to.equal('1.0.0')
      })
      await Promise.all(runs)
    })
  })

  describe('when its file is not what it wrote', () => {
    const cases: Readonly<Record<string, string>> = {
      'no JSON': '{',
      'another form': '{"form": 2, "entries": []}',
      'a path for a name': `{"form": 1, "entries": [${JSON.stringify({ ...entry('a', 'a1'), file: '../x' })}]}`,
      'something more': `{"form": 1, "entries": [], "more": 1}`,
    }
    for (const [what, text] of Object.entries(cases))
      it(`is not opened: ${what}`, () => {
        const place = folder()
        Registry.open(place)
        writeFileSync(join(place, 'registry.json'), text)
        expect(() => Registry.open(place))
          .to.throw(StateError)
          .with.property('code', 'damaged')
        expect(readFileSync(join(place, 'registry.json'), 'utf8')).to.equal(text)
      })
  })

  describe('when a bundle is altered or gone', () => {
    it('tells of that one only', () => {
      const place = folder()
      const registry = Registry.open(place)
      registry.put(entry('a', 'a1'), bundle('a1'))
      registry.put(entry('b', 'b1'), bundle('b1'))
      const path = (text: string) => join(place, 'bundles', `${fileOf(bundle(text))}.pronto`)
      writeFileSync(path('a1'), 'something else')
      const again = Registry.open(place)
      expect(() => again.readBundle(entry('a', 'a1').file)).to.throw(StateError, 'this bundle was altered')
      expect(again.readBundle(entry('b', 'b1').file)).to.deep.equal(Buffer.from(bundle('b1')))
      rmSync(path('b1'))
      expect(() => again.readBundle(entry('b', 'b1').file)).to.throw(StateError, 'this bundle is gone')
      again.put(entry('a', 'a1'), bundle('a1'))
      expect(Buffer.from(again.readBundle(entry('a', 'a1').file)).toString()).to.equal('bundle a1')
    })
  })

  describe('when the remembered configuration cannot be read', () => {
    it('has none', () => {
      const place = folder()
      const registry = Registry.open(place)
      expect(registry.readConfiguration()).to.equal(undefined)
      writeFileSync(join(place, 'configuration.json'), '{"text": 1}')
      expect(registry.readConfiguration()).to.equal(undefined)
    })
  })

  describe('when its folder cannot be written', () => {
    it('refuses, and stands as before', function () {
      if (process.getuid?.() === 0) {
        this.test!.title += ' [skipped: root writes everywhere]'
        this.skip()
      }
      const place = folder()
      const registry = Registry.open(place)
      chmodSync(place, 0o500)
      expect(() => registry.put(entry('a', 'a1'), bundle('a1'))).to.throw(StateError)
      expect(registry.entries).to.deep.equal([])
      chmodSync(place, 0o700)
    })

    it('says so where something is in the way', () => {
      const place = folder()
      mkdirSync(join(place, 'registry.json'))
      expect(() => Registry.open(place)).to.throw(StateError, 'expected a regular file')
    })
  })
})
