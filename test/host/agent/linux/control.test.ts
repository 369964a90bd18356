import { statSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, it } from 'mocha'
import { Control, type ControlRequest } from '../../../../host/agent/linux/control.ts'
import { askAgent, HostError, type HostStatus } from '../../../../host/agent/linux/index.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'

const STATUS: HostStatus = {
  name: 's1',
  state: 'active',
  address: '10.0.2.2',
  virtualHosts: ['198.18.0.0/15'],
  exit: { kind: 'none' },
  load: { load: 0, connections: 0 },
  routers: [],
}

describe("the agent's control socket", () => {
  let folder: string
  let asked: ControlRequest[]
  let control: Control | undefined

  const listen = () =>
    Control.listen(folder, (request) => {
      asked.push(request)
      return { ...STATUS, state: request.state ?? 'active' }
    })

  beforeEach(() => {
    folder = temporaryFolder('pronto-ctl-')
    asked = []
  })

  afterEach(async () => {
    await control?.close()
    control = undefined
  })

  /** What comes back for bytes from anybody; empty when the socket is closed without an answer. */
  function exchange(text: string): Promise<string> {
    return new Promise((resolve) => {
      const socket = createConnection(join(folder, 'control.sock'))
      let answer = ''
      socket.on('data', (part) => {
        answer += part
      })
      socket.on('error', () => {})
      socket.on('close', () => resolve(answer))
      socket.write(text)
    })
  }

  async function codeOf(work: Promise<unknown>): Promise<string> {
    try {
      await work
    } catch (error) {
      if (error instanceof HostError) return error.code
      throw error
    }
    return ''
  }

  it('answers its owner, and nobody else may reach it', async () => {
    control = await listen()
    expect(statSync(join(folder, 'control.sock')).mode & 0o777).to.equal(0o600)
    expect(await askAgent(folder, {})).to.deep.equal(STATUS)
    expect((await askAgent(folder, { state: 'draining' })).state).to.equal('draining')
    expect(asked).to.deep.equal([{}, { state: 'draining' }])
  })

  it('is alone in its folder, but takes over what a killed one has left', async () => {
    control = await listen()
    expect(await codeOf(listen())).to.equal('busy')
    expect((await askAgent(folder, {})).name).to.equal('s1')
    await control.close()
    expect(await codeOf(askAgent(folder, {}))).to.equal('not-found')
    writeFileSync(join(folder, 'control.sock'), '')
    control = await listen()
    expect((await askAgent(folder, {})).name).to.equal('s1')
  })

  it('refuses what is no request, and goes on', async () => {
    control = await listen()
    for (const line of ['', 'null', '[]', '1', '"drain"', '{"state":"gone"}', '{"state":null}', '{"stat":1}'])
      expect(await exchange(`${line}\n`), line).to.include('"code":"invalid"')
    expect(await exchange('{"__proto__":{"state":"draining"}}\n')).to.include('"code":"invalid"')
    expect(await exchange('x'.repeat(5_000))).to.equal('')
    expect(asked).to.deep.equal([])
    expect((await askAgent(folder, {})).name).to.equal('s1')
  })

  it('does nothing for garbage', async () => {
    control = await listen()
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
        await exchange(`${text}\n`)
      }),
      { numRuns: 50 },
    )
    expect(asked.filter((each) => each.state !== undefined)).to.deep.equal([])
  })

  it('bounds how many speak to it at once, and closes with all of them', async () => {
    control = await listen()
    const silent = Array.from({ length: 12 }, () => exchange('{'))
    await Promise.all(silent.slice(8))
    expect(await codeOf(askAgent(folder, {}))).to.equal('failed')
    await control.close()
    control = undefined
    expect(await Promise.all(silent)).to.deep.equal(Array(12).fill(''))
  })
})
