import { expect } from 'chai'
import { describe, it } from 'mocha'
import { PictureFrame, PictureSource } from '../../../router/engine-thread/pictures.ts'
import type { PluginLogLine, PluginReport, SandboxReport } from '../../../router/plugins/plugin-host.ts'

const KEPT = 4

/** Plugins that only have names and logs, which keep a few lines. */
class Logs {
  readonly lines = new Map<string, PluginLogLine[]>()

  list(): PluginReport[] {
    return [...this.lines.keys()].map((id) => ({ id, state: 'running' }) as PluginReport)
  }

  logs(id: string): readonly PluginLogLine[] {
    return this.lines.get(id) ?? []
  }

  write(id: string, ...texts: string[]): void {
    const all = this.lines.get(id) ?? []
    for (const text of texts) all.push({ atNs: 0, by: 'plugin', level: 'info', text })
    this.lines.set(id, all.slice(-KEPT))
  }
}

const texts = (lines: readonly PluginLogLine[]) => lines.map((each) => each.text)

function pair() {
  const logs = new Logs()
  const sandboxes: SandboxReport[] = []
  const source = new PictureSource(logs, () => sandboxes)
  const frame = new PictureFrame()
  const send = () => {
    const picture = source.take()
    // As between threads: nothing is the same object afterwards.
    if (picture !== undefined) frame.hang(structuredClone(picture))
    return picture
  }
  return { logs, sandboxes, frame, send }
}

describe('pictures of the plugins', () => {
  it('are sent when something has changed, and only then', () => {
    const { logs, send } = pair()
    expect(send()).to.not.equal(undefined)
    expect(send()).to.equal(undefined)
    logs.write('a', 'one')
    expect(send()).to.not.equal(undefined)
    expect(send()).to.equal(undefined)
  })

  it('bring the lines of every log once, and no more of them than the log keeps', () => {
    const { logs, frame, send } = pair()
    logs.write('a', 'one', 'two')
    send()
    logs.write('a', 'three', 'four', 'five')
    logs.write('b', 'first')
    const picture = send()!
    expect(picture.logs.map(({ id, lines }) => [id, texts(lines)])).to.deep.equal([
      ['a', ['three', 'four', 'five']],
      ['b', ['first']],
    ])
    expect(texts(frame.logs('a'))).to.deep.equal(['two', 'three', 'four', 'five'])
    expect(texts(frame.logs('b'))).to.deep.equal(['first'])
  })

  it('keep a line the same object, so that it can be followed', () => {
    const { logs, frame, send } = pair()
    logs.write('a', 'one')
    send()
    const [line] = frame.logs('a')
    logs.write('a', 'two')
    send()
    expect(frame.logs('a')[0]).to.equal(line)
  })

  it('bring everything that is left when more came than a log keeps', () => {
    const { logs, frame, send } = pair()
    logs.write('a', '1', '2')
    send()
    logs.write('a', '3', '4', '5', '6', '7')
    send()
    expect(texts(frame.logs('a'))).to.deep.equal(['4', '5', '6', '7'])
  })

  it('forget the log of an instance that is gone, and begin that of its successor anew', () => {
    const { logs, frame, send } = pair()
    logs.write('a', 'one')
    send()
    logs.lines.delete('a')
    send()
    expect(frame.logs('a')).to.deep.equal([])
    logs.write('a', 'again')
    send()
    expect(texts(frame.logs('a'))).to.deep.equal(['again'])
  })
})
