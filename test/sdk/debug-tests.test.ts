import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { inFolder, pluginOf, ROOT, writeFiles } from './kit.ts'

const PLUGIN = `export default {
  setup() {
    debugger
  },
}
`
const TEST = `import { it, testRouter } from 'pronto-router/sdk/testing'
it('stops', () => testRouter('.'))
`

interface Message {
  readonly method?: string
  readonly params?: {
    readonly url?: string
    readonly scriptId?: string
    readonly sourceMapURL?: string
    readonly callFrames?: readonly { readonly location: { readonly scriptId: string } }[]
  }
}

/** Attaches to a debugger's address, lets the program run, and goes on where it stops. */
function attach(url: string, seen: Message[]): void {
  const socket = new WebSocket(url)
  let id = 0
  const send = (method: string): void => socket.send(JSON.stringify({ id: ++id, method }))
  socket.addEventListener('open', () => {
    for (const each of ['Runtime.enable', 'Debugger.enable', 'Runtime.runIfWaitingForDebugger']) send(each)
  })
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as Message
    seen.push(message)
    if (message.method === 'Debugger.paused') send('Debugger.resume')
    if (message.method === 'Runtime.executionContextDestroyed') socket.close()
  })
}

describe('debugTests', function () {
  this.timeout(60_000)
  it('waits for a debugger, which stops in the plugin and finds its sources', async () => {
    await inFolder(async (folder) => {
      writeFiles(folder, pluginOf(PLUGIN, { 'plugin.test.ts': TEST }))
      const words = [join(ROOT, 'cli', 'main.ts'), 'plugin', 'test', folder, '--inspect']
      const env = { ...process.env, NODE_OPTIONS: '--inspect-port=0' }
      const child = spawn(process.execPath, words, { env })
      const seen: Message[] = []
      let err = ''
      let address: string | undefined
      child.stdout.resume()
      child.stderr.on('data', (part: Buffer) => {
        err += part.toString()
        if (address !== undefined) return
        address = /ws:\/\/\S+/.exec(err)?.[0]
        if (address !== undefined) attach(address, seen)
      })
      const code = await new Promise((settle) => child.on('exit', settle))
      expect(code, err).to.equal(0)
      const script = seen.find(({ params }) => params?.url === 'sample-1.0.0/plugin.js')
      const map = JSON.parse(
        Buffer.from(script!.params!.sourceMapURL!.split(',')[1]!, 'base64').toString(),
      ) as { sources: string[] }
      expect(map.sources).to.deep.equal([pathToFileURL(join(folder, 'plugin.ts')).href])
      const paused = seen.find(({ method }) => method === 'Debugger.paused')
      expect(paused?.params?.callFrames?.[0]?.location.scriptId).to.equal(script!.params!.scriptId)
    })
  })
})
