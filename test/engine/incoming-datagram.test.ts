import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type IncomingDatagram, readDatagram } from '../../engine/index.ts'
import { PROTOCOL_UDP } from '../../engine/wire/index.ts'
import { ip, udp } from '../support/packets.ts'
import { TestRouter } from '../support/test-router.ts'

describe('readDatagram', () => {
  it('reads what was sent to a service of the router, and keeps it when the packet is gone', () => {
    const router = new TestRouter()
    const read: IncomingDatagram[] = []
    router.engine.local.serve(PROTOCOL_UDP, 4754, (slab, packet) => read.push(readDatagram(slab, packet)) > 0)
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 1400 }),
        fc.integer({ min: 1, max: 65_535 }),
        fc.constantFrom('10.0.1.1', '10.0.2.1'),
        (data, fromPort, to) => {
          read.length = 0
          router.inject('a', udp({ to, fromPort, toPort: 4754, data }))
          router.inject('a', udp({ to, toPort: 9, data: 1400 }))
          expect(read).to.deep.equal([
            { from: ip('10.0.1.2'), fromPort, to: ip(to), toPort: 4754, payload: data },
          ])
        },
      ),
      { numRuns: 50 },
    )
  })
})
