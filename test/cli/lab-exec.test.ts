import { join, resolve } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { LabFailure } from '../../lab/index.ts'
import { FakeBackend, type } from './world.ts'

const FILE = join(resolve(import.meta.dirname, '../..'), 'examples/three-servers.yaml')

/** A backend whose nodes run programs. */
class RealBackend extends FakeBackend {
  override readonly name = 'netns'
  readonly commands: string[] = []
  async exec(lab: { readonly name: string }, node: string, command: readonly string[]): Promise<number> {
    if (node === 'c9') throw new LabFailure('three-servers has no node c9; did you mean c1?', 'unknown')
    this.commands.push([lab.name, node, ...command].join(' '))
    return 7
  }
}

describe('pronto lab exec', () => {
  it('hands the words after -- on as they are, and the exit code back', async () => {
    const backend = new RealBackend()
    const { code, out } = await type(['lab', 'exec', FILE, 'c1', '--', 'curl', '-s', '--json', '{}'], backend)
    expect([code, out]).to.deep.equal([7, ''])
    expect(backend.commands).to.deep.equal(['three-servers c1 curl -s --json {}'])
  })

  it('tells an option of its own from one of the command, and wants a command', async () => {
    const backend = new RealBackend()
    const { code, err } = await type(['lab', 'exec', FILE, 'c1', 'curl', '-s'], backend)
    expect(code).to.equal(2)
    expect(err)
      .to.contain('there is no option -s')
      .and.contain('pronto lab exec FILE NODE [options] -- COMMAND...')
    expect((await type(['lab', 'exec', FILE, 'c1'], backend)).code).to.equal(2)
    expect(backend.commands).to.deep.equal([])
  })

  it('says what fails', async () => {
    const { code, err } = await type(['lab', 'exec', FILE, 'c9', '--', 'ls'], new RealBackend())
    expect([code, err]).to.deep.equal([1, 'pronto: three-servers has no node c9; did you mean c1?\n'])
    const simulated = await type(
      ['lab', 'exec', FILE, 'c1', '--backend', 'sim', '--', 'ls'],
      new FakeBackend(),
    )
    expect(simulated.code).to.equal(1)
    expect(simulated.err).to.contain('no program can run inside')
  })
})
