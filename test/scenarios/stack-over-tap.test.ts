/**
 * The host stack against the kernel's own, over a TAP device: its HTTP service with curl, its HTTP client with nginx,
 * over a good link and over one that loses, reorders and duplicates. Bodies are compared by SHA-256.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { afterEach, before, describe, it } from 'mocha'
import { FaultInjector, Impairment, MILLISECOND, Random } from '../../engine/index.ts'
import { inNamespace, TapPort } from '../../engine/ports/linux/index.ts'
import { parseIpv4Prefix } from '../../engine/wire/index.ts'
import { HostStack, HttpClient, HttpService, patternChunk, type Sockets } from '../../host/stack/index.ts'
import { requireRoot, TestNamespace } from '../support/linux.ts'
import { requireTool } from '../support/oracle.ts'
import { ip } from '../support/packets.ts'
import { clock, StackOnPort } from '../support/stack-on-port.ts'
import { temporaryFolder } from '../support/temporary-folder.ts'

const OURS = '10.7.0.1'
const KERNEL = '10.7.0.2'
const SEED = 20261122

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let at = 0; at < length; ) {
    const chunk = patternChunk(at, length - at)
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

/** A namespace with a TAP: the kernel at KERNEL, our stack at OURS behind the faults of the link. */
class Rig {
  readonly space = new TestNamespace()
  readonly stack: HostStack
  readonly link: FaultInjector
  readonly tap: TapPort
  readonly loop: StackOnPort
  readonly #running: Promise<void>
  readonly #children: ChildProcess[] = []

  constructor(faulty: boolean) {
    const random = Random.fromSeed(SEED)
    const numbers = random.fork('stack')
    const faults = { loss: 0.01, duplicate: 0.01, reorder: { probability: 0.01, delayNs: 2 * MILLISECOND } }
    const impairment = (way: string) => (faulty ? { [way]: new Impairment(faults, random.fork(way)) } : {})
    this.tap = inNamespace(this.space.path, () => TapPort.open({ name: 'eth0', device: 'tap0' }))
    this.space.run(`ip addr add ${KERNEL}/24 dev tap0`)
    this.link = new FaultInjector(this.tap, { ...impairment('transmit'), ...impairment('receive') })
    this.stack = new HostStack({ name: 'ours', random: () => numbers.uint32(), now: clock() })
    this.loop = new StackOnPort(this.stack, this.link, this.tap.descriptor, [parseIpv4Prefix(`${OURS}/24`)!])
    this.#running = this.loop.run()
  }

  /** Starts a program inside; its output as it comes. */
  start(command: string, ...args: string[]): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.space.name, command, ...args])
    this.#children.push(child)
    return child
  }

  /** Runs curl inside; resolves with what it printed. */
  async curl(...args: string[]): Promise<Uint8Array> {
    const child = this.start(
      'curl',
      '--silent',
      '--show-error',
      '--max-time',
      '15',
      '--noproxy',
      '*',
      ...args,
    )
    const output: Uint8Array[] = []
    let errors = ''
    child.stdout!.on('data', (bytes: Uint8Array) => output.push(bytes))
    child.stderr!.on('data', (bytes: Uint8Array) => {
      errors += Buffer.from(bytes).toString()
    })
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code, errors).to.equal(0)
    return Buffer.concat(output)
  }

  async dispose(): Promise<void> {
    this.loop.end()
    await this.#running
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const closed = new Promise((resolve) => child.once('close', resolve))
      child.kill()
      await closed
    }
    this.link.close()
    this.space.remove()
  }
}

/** Starts nginx on KERNEL:80; `/bytes/N` is a file of the known pattern for each of the sizes. */
async function startNginx(rig: Rig, sizes: readonly number[]): Promise<void> {
  const folder = temporaryFolder('pronto-nginx-')
  mkdirSync(join(folder, 'bytes'))
  for (const size of sizes) writeFileSync(join(folder, 'bytes', String(size)), pattern(size))
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const config = `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log; events {}
    http { access_log off; root ${folder}; ${paths.map((each) => `${each}_temp_path ${folder}/${each};`).join(' ')}
      server { listen ${KERNEL}:80; } }`
  writeFileSync(join(folder, 'conf'), config)
  rig.start('nginx', '-p', folder, '-c', join(folder, 'conf'), '-e', join(folder, 'error.log'))
  for (let round = 0; round < 500 && !existsSync(join(folder, 'pid')); round++)
    await new Promise((resolve) => setTimeout(resolve, 10))
}

/** The stack with an ear: the bytes of each connection that is opened through it. */
function overheard(stack: HostStack, connections: Uint8Array[][]): Sockets {
  const connect: Sockets['tcp']['connect'] = (request) => {
    const socket = stack.tcp.connect(request)
    const chunks: Uint8Array[] = []
    connections.push(chunks)
    let handler = socket.onData
    Object.defineProperty(socket, 'onData', {
      get: () => (bytes: Uint8Array) => {
        chunks.push(bytes.slice())
        handler(bytes)
      },
      set: (given: typeof handler) => {
        handler = given
      },
    })
    return socket
  }
  const { name, clock, random, udp, icmp } = stack
  return { name, clock, random, udp, icmp, tcp: { connect }, after: (delay, run) => stack.after(delay, run) }
}

function bodyOf(chunks: readonly Uint8Array[]): Uint8Array {
  const all = Buffer.concat(chunks)
  return all.subarray(all.indexOf('\r\n\r\n') + 4)
}

for (const faulty of [false, true]) {
  const link = faulty ? 'that loses, reorders and duplicates 1% each way' : 'without faults'
  const size = faulty ? 1_000_000 : 5_000_000

  describe(`host stack over TAP, on a link ${link}`, () => {
    let rig: Rig

    before(function () {
      requireRoot(this)
    })
    afterEach(async () => {
      if (!rig) return
      await rig.dispose()
      expect(rig.stack.tcp.counters.badChecksum, 'checksums').to.equal(0)
      if (!faulty) return
      for (const path of [rig.link.outward!, rig.link.inward!]) {
        const { lost, reordered, duplicated } = path.impairment.counters
        expect(Math.min(lost, reordered, duplicated), 'the link had faults').to.be.greaterThan(0)
      }
    })

    it('serves curl: downloads whole, uploads taken, one connection for many requests', async function () {
      requireTool(this, 'curl')
      rig = new Rig(faulty)
      rig.loop.act(() => new HttpService(rig.stack, { port: 80 }))
      const body = await rig.curl(`http://${OURS}/bytes/${size}`)
      expect(sha256(body)).to.equal(sha256(pattern(size)))
      const upload = join(temporaryFolder('pronto-upload-'), 'body')
      writeFileSync(upload, pattern(size))
      const answer = await rig.curl('-H', 'Expect:', '--data-binary', `@${upload}`, `http://${OURS}/bytes/99`)
      expect(sha256(answer)).to.equal(sha256(pattern(99)))
      const many = Array.from({ length: 10 }, (_, each) => 10_000 + each)
      const bodies = await rig.curl(...many.map((each) => `http://${OURS}/bytes/${each}`))
      expect(sha256(bodies)).to.equal(sha256(Buffer.concat(many.map(pattern))))
    })

    it('fetches from nginx', async function () {
      requireTool(this, 'nginx', ['-v'])
      rig = new Rig(faulty)
      await startNginx(rig, [size])
      const connections: Uint8Array[][] = []
      const client = await new Promise<HttpClient>((resolve) => {
        const client: HttpClient = rig.loop.act(() => {
          const options = { to: ip(KERNEL), port: 80, bytes: size, count: 4, concurrency: 2 }
          const made = new HttpClient(overheard(rig.stack, connections), {
            ...options,
            onDone: () => resolve(client),
          })
          made.begin()
          return made
        })
      })
      expect(client.report).to.include({ attempted: 4, completed: 4, failed: 0, corrupted: 0 })
      const expected = sha256(pattern(size))
      expect(connections.map((each) => sha256(bodyOf(each)))).to.deep.equal(new Array(4).fill(expected))
    })
  })
}
