import { crc32 } from 'node:zlib'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import type { ConnectionState, HostStack, StackError, TcpConnection } from '../../../../host/stack/index.ts'
import { watch } from '../../../support/raw-pair.ts'
import { pattern } from '../../../support/transfer.ts'
import { VirtualWorld } from '../../../support/virtual-link.ts'

const MS = 1_000_000
const SECOND = 1000 * MS
const SERVICE = 0xc6120050 // 198.18.0.80

/** What survives of a server application when its connection moves: how far it has come. */
interface Progress {
  received: number
  receivedCrc: number
  sent: number
}

/** Both sides send `total` bytes of a pattern and check what they get. */
function serve(connection: TcpConnection, progress: Progress, total: number): void {
  const pump = (): void => {
    while (progress.sent < total) {
      const chunk = pattern(progress.sent, Math.min(8192, total - progress.sent))
      const taken = connection.send(chunk)
      progress.sent += taken
      if (taken < chunk.length) return
    }
    connection.close()
  }
  connection.onData = (bytes) => {
    progress.received += bytes.length
    progress.receivedCrc = crc32(bytes, progress.receivedCrc)
  }
  connection.onWritable = pump
  pump()
}

interface Site {
  readonly world: VirtualWorld
  readonly client: HostStack
  readonly servers: readonly HostStack[]
  /** Sends what goes to the service to this server from now on. */
  route(server: number): void
}

/** A client and two servers with the same service prefix; a switch in between decides who gets its packets. */
function site(seed: number, loss: number): Site {
  const world = new VirtualWorld(seed)
  const lan = world.lan({ delayNs: 2 * MS, loss })
  const client = world.host('client')
  const servers = [world.host('one'), world.host('two')]
  lan.attach(client, '10.0.0.1/24')
  servers.forEach((server, i) => {
    lan.attach(server, `10.0.0.${10 + i}/24`)
    server.addLocalPrefix('198.18.0.0/15')
    // What is still under way to the old host when the connection has left it must not be answered with RST.
    server.tcp.onStray = () => true
  })
  const route = (server: number): void => client.addRoute('198.18.0.0/15', { via: 0x0a00000a + server })
  route(0)
  return { world, client, servers, route }
}

describe('a live TCP connection', () => {
  for (const loss of [0, 0.03])
    it(`moves between hosts mid-transfer, back and forth, with ${loss * 100} % loss (R-MC-17)`, () => {
      const total = 400_000
      const { world, client, servers, route } = site(7 + loss * 100, loss)
      let connection: TcpConnection | undefined
      const progress: Progress = { received: 0, receivedCrc: 0, sent: 0 }
      servers[0].tcp.listen(80, SERVICE, (accepted) => {
        connection = accepted
        serve(accepted, progress, total)
      })
      const mine = client.tcp.connect({ to: SERVICE, port: 80 })
      const record = watch(mine)
      const upload: Progress = { received: 0, receivedCrc: 0, sent: 0 }
      mine.onEstablished = () => serve(mine, upload, total)
      let at = 0
      let [sacked, early] = [0, 0]
      for (let move = 0; move < 8; move++) {
        world.run(world.now + 60 * MS)
        if (connection === undefined || !connection.block.synchronized) continue
        const moved: ConnectionState = structuredClone(
          world.act(() => servers[at].tcp.exportConnection(connection!)),
        )
        expect(servers[at].tcp.connections).to.equal(0)
        at = 1 - at
        route(at)
        world.run(world.now + 3 * MS)
        connection = servers[at].tcp.importConnection(moved)
        expect(connection.block.scoreboard.toArray()).to.deep.equal(moved.sacked)
        sacked += moved.sacked.length
        early += moved.outOfOrder.length
        serve(connection, progress, total)
        connection.resume()
      }
      world.run(world.now + 600 * SECOND)
      const expected = crc32(pattern(0, total))
      expect([progress.received, progress.receivedCrc]).to.deep.equal([total, expected])
      expect([upload.received, upload.receivedCrc]).to.deep.equal([total, expected])
      expect(record.closed).to.equal('closed')
      expect(servers.map((server) => server.tcp.connections)).to.deep.equal([0, 0])
      expect(client.tcp.counters.resetsSent).to.equal(0)
      if (loss > 0) expect(sacked * early, 'moved in the middle of a recovery').to.be.greaterThan(0)
    })

  it('moves with unread data and a closed window', () => {
    const { world, client, servers, route } = site(3, 0)
    let connection: TcpConnection | undefined
    const settings = { receiveBytes: 4000 }
    servers[0].tcp.listen(
      80,
      SERVICE,
      (accepted) => {
        connection = accepted
        accepted.pause()
      },
      { settings },
    )
    const mine = watch(client.tcp.connect({ to: SERVICE, port: 80 }))
    mine.connection.send(pattern(0, 20_000))
    world.run(2 * SECOND)
    const moved = servers[0].tcp.exportConnection(connection!)
    expect(moved.receiveQueue.length).to.equal(4000)
    route(1)
    const there = servers[1].tcp.importConnection(structuredClone(moved))
    const record = watch(there)
    world.run(world.now + SECOND)
    expect(record.data).to.deep.equal([])
    world.act(() => there.resume())
    world.run(world.now + 20 * SECOND)
    expect(record.data).to.deep.equal([...pattern(0, 20_000)])
  })

  it('is plain data: survives JSON with bytes as arrays', () => {
    const { world, client, servers } = site(3, 0)
    let connection: TcpConnection | undefined
    servers[0].tcp.listen(80, SERVICE, (accepted) => {
      connection = accepted
      accepted.send(pattern(0, 100_000))
    })
    watch(client.tcp.connect({ to: SERVICE, port: 80 }))
    world.run(12 * MS)
    const moved = servers[0].tcp.snapshotConnection(connection!)
    const through = JSON.parse(
      JSON.stringify(moved, (_, value) => (value instanceof Uint8Array ? [...value] : value)),
    )
    const bytes = {
      sendQueue: Uint8Array.from(through.sendQueue),
      receiveQueue: Uint8Array.from(through.receiveQueue),
    }
    expect({ ...through, ...bytes }).to.deep.equal(moved)
  })

  it('is left alone by a snapshot', () => {
    const { world, client, servers } = site(3, 0)
    servers[0].tcp.listen(80, SERVICE, (accepted) => {
      servers[0].tcp.snapshotConnection(accepted)
      accepted.send(pattern(0, 1000))
      servers[0].tcp.snapshotConnection(accepted)
    })
    const mine = watch(client.tcp.connect({ to: SERVICE, port: 80 }))
    world.run(SECOND)
    expect(mine.data).to.have.length(1000)
  })

  describe('when its state does not fit', () => {
    const prepare = (): { moved: ConnectionState; target: HostStack; source: HostStack } => {
      const { world, client, servers } = site(3, 0)
      let moved: ConnectionState | undefined
      servers[0].tcp.listen(80, SERVICE, (accepted) => {
        accepted.send(pattern(0, 1000))
        moved = servers[0].tcp.snapshotConnection(accepted)
      })
      watch(client.tcp.connect({ to: SERVICE, port: 80 }))
      world.run(SECOND)
      return { moved: moved!, target: servers[1], source: servers[0] }
    }
    const code = (act: () => unknown): string => {
      try {
        act()
      } catch (error) {
        return (error as StackError).code
      }
      return 'accepted'
    }

    it('refuses it', () => {
      const { moved, target } = prepare()
      const wrong: Record<string, unknown>[] = [
        { version: 2 },
        { state: 'syn-sent' },
        { sendQueue: new Uint8Array(0), fields: { ...moved.fields, sndNxt: moved.fields.sndUna + 500 } },
        { fields: { ...moved.fields, sndScale: 40 } },
        { fields: { ...moved.fields, rcvAdv: moved.fields.rcvNxt - 1 } },
        { fields: { ...moved.fields, sndUna: 0.5 } },
        { congestion: { ...moved.congestion, segmentBytes: 1 } },
        { settings: { receiveBytes: -1 } },
      ]
      for (const each of wrong)
        expect(
          code(() => target.tcp.importConnection({ ...moved, ...each } as ConnectionState)),
          JSON.stringify(each),
        ).to.equal('invalid')
      expect(code(() => target.tcp.importConnection(moved))).to.equal('accepted')
    })

    it('refuses one that exists, and one whose address is not local', () => {
      const { moved, target, source } = prepare()
      expect(code(() => source.tcp.importConnection(moved))).to.equal('exists')
      target.removeLocalPrefix('198.18.0.0/15')
      expect(code(() => target.tcp.importConnection(moved))).to.equal('invalid')
    })
  })

  it('follows its peer to another address (R-DT-04)', () => {
    const { world, client, servers } = site(5, 0)
    let connection: TcpConnection | undefined
    const progress: Progress = { received: 0, receivedCrc: 0, sent: 0 }
    servers[0].tcp.listen(80, 0, (accepted) => {
      connection = accepted
      serve(accepted, progress, 100_000)
    })
    const mine = client.tcp.connect({ to: 0x0a00000a, port: 80 })
    const upload: Progress = { received: 0, receivedCrc: 0, sent: 0 }
    mine.onEstablished = () => serve(mine, upload, 100_000)
    world.run(20 * MS)
    const moved = world.act(() => servers[0].tcp.exportConnection(connection!))
    const fields = { ...moved.fields, local: 0x0a00000b }
    client.tcp.redirect(mine, 0x0a00000b, 80)
    const there = servers[1].tcp.importConnection({ ...moved, fields })
    serve(there, progress, 100_000)
    there.resume()
    world.run(60 * SECOND)
    expect([progress.received, upload.received]).to.deep.equal([100_000, 100_000])
    expect(progress.receivedCrc).to.equal(upload.receivedCrc)
  })
})
