import { expect } from 'chai'
import { describe, it } from 'mocha'
import { checkConfig, checkConfigSchema } from '../../../execution-env/contract/config-schema.ts'
import { ContractError } from '../../../execution-env/contract/errors.ts'
import type { JsonValue } from '../../../execution-env/contract/json.ts'
import { resolveLimits } from '../../../execution-env/contract/limits.ts'
import { formatManifest, parseManifest } from '../../../execution-env/contract/manifest.ts'

const PLAIN = { name: 'slr', version: '1.0.0', apiVersion: 1, entry: 'plugin.ts' }

function problemsOf(manifest: unknown): readonly string[] {
  try {
    parseManifest(JSON.stringify(manifest))
  } catch (error) {
    if (error instanceof ContractError) return error.problems.map((each) => `${each.code} ${each.place}`)
    throw error
  }
  return []
}

describe('manifest', () => {
  it('is read with nothing granted by default', () => {
    expect(parseManifest(JSON.stringify(PLAIN))).to.deep.equal({ ...PLAIN, capabilities: {} })
  })

  it('has one text that reads back to the same manifest', () => {
    const full = {
      limits: { memoryBytes: 16_000_000 },
      ...PLAIN,
      capabilities: { flows: { actions: ['tunnel', 'drop'], to: ['10.0.1.0/24', '10.0.0.0/24'] }, cpu: {} },
      configSchema: { type: 'object', properties: { weight: { type: 'integer', default: 1 } } },
    }
    const manifest = parseManifest(JSON.stringify(full))
    const text = formatManifest(manifest)
    expect(parseManifest(text)).to.deep.equal(manifest)
    expect(formatManifest(parseManifest(text))).to.equal(text)
    expect(manifest.capabilities).to.deep.equal({
      flows: { to: ['10.0.0.0/23'], actions: ['drop', 'tunnel'] },
    })
  })

  it('reports everything that is wrong at once, each with its place', () => {
    const wrong = {
      name: 'Slr',
      version: '1.0',
      apiVersion: 1,
      color: 'red',
      capabilities: { flows: { to: ['everything'] } },
      configSchema: { type: 'object', properties: { a: { type: 'string', pattern: '(a+)+$' } } },
      limits: { memoryBytes: 1 },
    }
    expect(problemsOf(wrong)).to.have.members([
      'invalid name',
      'invalid version',
      'unknown color',
      'missing entry',
      'invalid capabilities.flows.to[0]',
      'unknown configSchema.properties.a.pattern',
      'invalid limits.memoryBytes',
    ])
  })

  it('says only that the API version is another, when it is', () => {
    expect(problemsOf({ ...PLAIN, apiVersion: 2, somethingNew: true })).to.deep.equal([
      'unsupported apiVersion',
    ])
  })

  describe('when a value is out of its bounds', () => {
    const good: readonly [keyof typeof PLAIN, readonly string[]][] = [
      ['name', ['a', 'a1', 'round-robin', 'a'.repeat(64)]],
      ['version', ['0.0.0', '1.2.3-rc.1', '1.2.3-0a.x-y+build.5', '10.20.30']],
      ['entry', ['plugin.ts', 'src/plugin.mts', 'a/b_c/d-e.f.js']],
    ]
    for (const [key, values] of good)
      it(`accepts every ${key} of the form`, () => {
        for (const value of values) expect(problemsOf({ ...PLAIN, [key]: value }), value).to.deep.equal([])
      })

    const bad: readonly [keyof typeof PLAIN, readonly unknown[]][] = [
      ['name', ['', '-a', 'a-', 'a_b', 'a/b', '..', 'A', 'a'.repeat(65), 1, null]],
      ['version', ['1', '1.2', '01.2.3', '1.2.3-', '1.2.3-01', 'v1.2.3', '1.2.3\n', `1.2.${'3'.repeat(70)}`]],
      [
        'entry',
        ['', '/plugin.ts', '../plugin.ts', 'a/../b.ts', './a.ts', 'a//b.ts', 'a.json', 'a\\b.ts', '.x.ts'],
      ],
      ['apiVersion', [0, 1.5, '1', null]],
    ]
    for (const [key, values] of bad)
      it(`refuses every other ${key}`, () => {
        for (const value of values) {
          const problems = problemsOf({ ...PLAIN, [key]: value })
          expect(problems, JSON.stringify(value)).to.not.be.empty
          expect(problems.every((each) => each.endsWith(` ${key}`))).to.equal(true)
        }
      })

    it('refuses what is no object', () => {
      for (const value of [null, 1, 'x', [], [PLAIN]]) expect(problemsOf(value)).to.deep.equal(['invalid '])
    })
  })
})

describe('configuration schema', () => {
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['servers'],
    properties: {
      servers: {
        type: 'array',
        minItems: 1,
        maxItems: 64,
        items: {
          type: 'object',
          required: ['address'],
          properties: {
            address: { type: 'string', format: 'ipv4-prefix', description: 'the address of a server' },
            weight: { type: 'integer', minimum: 1, default: 1 },
          },
        },
      },
      names: { type: 'object', additionalProperties: { type: 'string' } },
    },
  }

  it('allows the keywords that take bounded time', () => {
    expect(checkConfigSchema(schema)).to.deep.equal([])
  })

  it('refuses references, patterns, uniqueness and conditions', () => {
    const keywords = [
      '$ref',
      '$id',
      'pattern',
      'patternProperties',
      'uniqueItems',
      'oneOf',
      'if',
      '$dynamicRef',
      'not',
    ]
    for (const keyword of keywords)
      expect(checkConfigSchema({ type: 'object', [keyword]: '#' })[0], keyword).to.include({
        code: 'unknown',
      })
  })

  it('fills in defaults without touching what it was given', () => {
    const config: JsonValue = { servers: [{ address: '10.0.0.1' }] }
    const result = checkConfig(schema, config)
    expect(result).to.deep.equal({ ok: true, config: { servers: [{ address: '10.0.0.1', weight: 1 }] } })
    expect(config).to.deep.equal({ servers: [{ address: '10.0.0.1' }] })
  })

  it('says what was expected of a configuration', () => {
    const result = checkConfig(schema, { servers: [{ address: 'x', weight: 0 }], extra: 1 })
    if (result.ok) throw new Error('accepted')
    const told = result.problems.map((each) => `${each.place}: ${each.reason}`)
    expect(told).to.have.members([
      'extra: unknown key, expected one of servers, names',
      'servers[0].address: expected the address of a server, got "x"',
      'servers[0].weight: expected minimum 1, got 0',
    ])
  })

  it('takes no configuration where the manifest has no schema', () => {
    expect(checkConfig(undefined, {})).to.deep.equal({ ok: true, config: {} })
    expect(checkConfig(undefined, { a: 1 }).ok).to.equal(false)
  })

  it('keeps hostile names and defaults as data', () => {
    const code = ['$', '{globalThis.polluted=1}`'].join('')
    const name = `a'];globalThis.polluted=1;//${code}\u2028`
    const value = `'+${code}`
    const hostile = {
      type: 'object',
      properties: { [name]: { type: 'string', default: value } },
    }
    expect(checkConfigSchema(hostile)).to.deep.equal([])
    expect(checkConfig(hostile, {})).to.deep.equal({
      ok: true,
      config: { [name]: value },
    })
    expect('polluted' in globalThis).to.equal(false)
  })
})

describe('limits', () => {
  it('are the usual ones unless asked otherwise, and never above the ceiling of the operator', () => {
    expect(resolveLimits({})).to.include({ memoryBytes: 32_000_000, batchMs: 50, logLinesPerSecond: 20 })
    expect(resolveLimits({ memoryBytes: 64_000_000 }).memoryBytes).to.equal(64_000_000)
    expect(resolveLimits({ memoryBytes: 64_000_000 }, { memoryBytes: 48_000_000 }).memoryBytes).to.equal(
      48_000_000,
    )
    expect(resolveLimits({}, { messagesPerSecond: 10 }).messagesPerSecond).to.equal(10)
  })
})
