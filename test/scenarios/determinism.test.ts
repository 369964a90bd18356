import { expect } from 'chai'
import { describe, it } from 'mocha'
import { exampleLab, simulateWithCaptures, withoutWall } from '../support/labs.ts'
import { twinRouters } from '../support/twin-routers.ts'

describe('a lab on the simulator', () => {
  for (const name of ['three-servers', 'bad-weather', 'round-robin'])
    describe(`when ${name} runs twice with one seed`, () => {
      it('gives identical reports and byte-identical captures', async () => {
        const first = await simulateWithCaptures(exampleLab(name, 11))
        const second = await simulateWithCaptures(exampleLab(name, 11))
        expect(withoutWall(second.report)).to.deep.equal(withoutWall(first.report))
        expect([...second.captures.keys()]).to.deep.equal([...first.captures.keys()])
        for (const [file, bytes] of first.captures)
          expect(Buffer.compare(Buffer.from(bytes), Buffer.from(second.captures.get(file)!)), file).to.equal(
            0,
          )
        expect(first.captures.size).to.be.greaterThan(3)
      }).timeout(60_000)

      it('differs with another seed', async () => {
        const first = await simulateWithCaptures(exampleLab(name, 11))
        const other = await simulateWithCaptures(exampleLab(name, 12))
        const bytes = (run: typeof first) => Buffer.concat([...run.captures.values()])
        expect(Buffer.compare(bytes(first), bytes(other))).to.not.equal(0)
      }).timeout(60_000)
    })

  describe('when the sandbox of one of its routers is killed', () => {
    it('gives identical reports and byte-identical captures', async () => {
      const lab = twinRouters('  - { at: 2s, kill: { router: r1, part: sandbox } }')
      const first = await simulateWithCaptures(lab)
      const second = await simulateWithCaptures(lab)
      expect(withoutWall(second.report)).to.deep.equal(withoutWall(first.report))
      for (const [file, bytes] of first.captures)
        expect(Buffer.from(bytes).equals(Buffer.from(second.captures.get(file)!)), file).to.equal(true)
    }).timeout(60_000)
  })
})
