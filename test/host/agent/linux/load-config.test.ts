import { expect } from 'chai'
import { describe, it } from 'mocha'
import { DocumentError } from '../../../../document/index.ts'
import { parseHostConfig } from '../../../../host/agent/linux/index.ts'

const LEAST = { name: 's1', address: '10.0.2.2', devices: ['eth0'], virtualHosts: ['198.18.0.0/15'] }

const parse = (more: object) =>
  parseHostConfig(JSON.stringify({ ...LEAST, ...more }), 's1.yaml', '/etc/pronto')

/** The messages of a refusal. */
function faults(more: object): string[] {
  try {
    parse(more)
  } catch (error) {
    if (error instanceof DocumentError)
      return error.problems.map(({ path, message }) => `${path}: ${message}`)
    throw error
  }
  return []
}

describe('parseHostConfig', () => {
  it('fills in what is left out', () => {
    expect(parse({})).to.deep.equal({
      name: 's1',
      address: 0x0a000202,
      devices: ['eth0'],
      virtualHosts: [{ text: '198.18.0.0/15', prefix: { address: 0xc6120000, length: 15 } }],
      routers: [],
      signalingPort: 4754,
      gateway: undefined,
      identity: undefined,
      intervalMs: 1000,
      exit: 'bpf',
      load: { source: 'load-average' },
      state: 'active',
    })
  })

  it('finds files beside the configuration', () => {
    const { identity, load } = parse({
      routers: ['10.0.2.1'],
      certificate: 's1.crt',
      key: '/keys/s1.key',
      trust: 'trust',
      load: { file: 'load' },
    })
    expect(identity).to.deep.equal({
      certificate: '/etc/pronto/s1.crt',
      key: '/keys/s1.key',
      trust: '/etc/pronto/trust',
    })
    expect(load).to.deep.equal({ source: 'file', file: '/etc/pronto/load' })
  })

  it('takes every source of load', () => {
    expect(parse({ load: 'connections' }).load).to.deep.equal({ source: 'connections', full: 1000 })
    expect(parse({ load: { source: 'connections', full: 50 } }).load).to.include({ full: 50 })
    expect(parse({ load: { command: ['probe', '-1'], interval: '5s' } }).load).to.deep.equal({
      source: 'command',
      command: ['probe', '-1'],
      intervalMs: 5000,
    })
    expect(parse({ load: { source: 'http', url: 'http://127.0.0.1/load' } }).load).to.include({
      source: 'http',
    })
  })

  describe('when the file is wrong', () => {
    for (const [what, more, expected] of [
      ['an address of nobody', { address: '224.0.0.1' }, 'address: expected an address of a host'],
      ['a virtual prefix with the own address', { virtualHosts: ['10.0.0.0/8'] }, "this host's own address"],
      ['a virtual prefix with a router', { ...key(), virtualHosts: ['10.0.3.0/24'] }, 'address of a router'],
      ['everything virtual', { virtualHosts: ['0.0.0.0/0'] }, 'expected a prefix of 8 bits or more'],
      ['prefixes that overlap', { virtualHosts: ['198.18.0.0/15', '198.18.1.0/24'] }, 'overlaps'],
      ['a router twice', { ...key(), routers: ['10.0.3.1', '10.0.3.1'] }, 'routers[1]: this router stands'],
      ['itself as a router', { ...key(), routers: ['10.0.2.2'] }, "the host's own"],
      ['the loopback', { devices: ['lo'] }, 'devices[0]: expected a device that leads to routers'],
      ['a device that is a path', { devices: ['../all'] }, 'devices[0]: expected a network device'],
      ['routers without a certificate', { routers: ['10.0.3.1'] }, 'missing key certificate'],
      ['a source that is none', { load: 'cpu' }, 'load: expected load-average'],
      ['a source without its word', { load: { source: 'http' } }, 'load: missing key url'],
      [
        'a word of another source',
        { load: { source: 'file', file: 'x', full: 3 } },
        'load.full: does not go',
      ],
      ['an interval without unit', { interval: '1' }, 'interval: expected a duration'],
      ['an interval that is too short', { interval: '1ms' }, 'interval: expected a duration from 100ms'],
    ] as const)
      it(`refuses ${what}`, () => {
        expect(faults(more).join('\n')).to.include(expected)
      })

    it('tells of all that is wrong at once', () => {
      expect(faults({ address: '127.0.0.1', devices: ['lo'], interval: '0s' })).to.have.length(3)
    })
  })
})

function key() {
  return { routers: ['10.0.3.1'], certificate: 'a', key: 'b' }
}
