import { expect } from 'chai'
import { describe, it } from 'mocha'
import { conclude, type Finding } from '../../lab/doctor/finding.ts'
import { USES } from '../../lab/index.ts'
import { type } from './world.ts'

describe('pronto doctor', () => {
  it('says of everything that it looked for what was found, and of every use what is missing', async () => {
    const { code, out, err } = await type(['doctor', '--json'])
    expect(err).to.equal('')
    const { simulator, missing, findings, packages } = JSON.parse(out) as {
      simulator: boolean
      missing: Record<string, string[]>
      findings: Finding[]
      packages: string[]
    }
    expect(code, 'the tests run on a Node that runs the simulator').to.equal(0)
    expect(simulator).to.equal(true)
    expect(Object.keys(missing)).to.have.members([...USES])
    for (const { what, present, remedy, detail } of findings) {
      expect(detail, what).to.not.equal('')
      if (!present) expect(remedy, `${what} is missing`).to.be.a('string')
    }
    expect(packages).to.be.an('array')
  }).timeout(60_000)

  it('tells it to people as well', async () => {
    const { out } = await type(['doctor'])
    expect(out).to.match(/✓ +Node +v\d+/)
    expect(out).to.include('✓ simulated labs and plugin development')
  }).timeout(60_000)

  it('names the packages that bring what is missing, once each', () => {
    const tool = (what: string, brings: string, present: boolean): Finding => ({
      what,
      present,
      detail: '',
      neededFor: ['netns', 'bench'],
      package: brings,
    })
    const { missing, packages } = conclude([
      tool('ip', 'iproute2', false),
      tool('tc', 'iproute2', false),
      tool('nginx', 'nginx-light', false),
      tool('curl', 'curl', true),
    ])
    expect(packages).to.deep.equal(['iproute2', 'nginx-light'])
    expect(missing.netns).to.deep.equal(['ip', 'tc', 'nginx'])
    expect(missing.sim).to.deep.equal([])
  })
})
