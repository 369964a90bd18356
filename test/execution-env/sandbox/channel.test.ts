import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { Channel } from '../../../execution-env/sandbox/channel.ts'
import { type FifoEnds, readEnd, writeEnd } from '../../../execution-env/sandbox/descriptor.ts'
import { openFifoPair } from '../../../execution-env/sandbox/fifo.ts'
import {
  CALL,
  DONE,
  FrameError,
  FrameReader,
  readText,
  textFrame,
} from '../../../execution-env/sandbox/frame.ts'
import { FRAME_BYTES_MAX } from '../../../execution-env/sandbox/limits.ts'

const opened: Channel[] = []

/** Both ends in this process; what one sends the other finds. */
function pair(): { near: Channel; far: Channel; ends: FifoEnds } {
  const { router, child } = openFifoPair(false)
  const near = new Channel(router, FRAME_BYTES_MAX)
  const far = new Channel(child, FRAME_BYTES_MAX)
  opened.push(near, far)
  return { near, far, ends: child }
}

const textOf = ({ frame }: Channel): string => readText(frame.bytes, frame.start, frame.length)

describe('Channel', () => {
  afterEach(() => {
    for (const channel of opened.splice(0)) channel.close()
  })

  describe('when it is polled', () => {
    it('finds nothing in an empty pipe, and frames in order', () => {
      const { near, far } = pair()
      expect(near.receive()).to.equal('nothing')
      far.send(textFrame(DONE, 1, 'one'))
      far.send(textFrame(DONE, 2, 'two'))
      expect([near.receive(), textOf(near)]).to.deep.equal(['frame', 'one'])
      expect([near.receive(), textOf(near)]).to.deep.equal(['frame', 'two'])
      expect(near.receive()).to.equal('nothing')
    })

    it('keeps what does not fit and sends it as room is made', () => {
      const { near, ends } = pair()
      const text = 'x'.repeat(300_000)
      expect(near.send(textFrame(CALL, 1, text))).to.equal(true)
      expect(near.send(textFrame(CALL, 2, 'after'))).to.equal(true)
      expect(near.unsentBytes).to.be.greaterThan(100_000)
      // The far end blocks when nothing is there: it is read only while something is.
      const reader = new FrameReader(FRAME_BYTES_MAX)
      const lengths: number[] = []
      while (lengths.length < 2) {
        near.flush()
        const at = reader.room()
        reader.fill(readEnd(ends.readFd, reader.bytes, at))
        while (reader.next()) lengths.push(reader.length)
      }
      expect(lengths).to.deep.equal([300_000, 5])
      expect(near.unsentBytes).to.equal(0)
    })

    it('refuses to keep more than its bound', () => {
      const { near } = pair()
      const large = textFrame(CALL, 1, 'x'.repeat(FRAME_BYTES_MAX - 100))
      near.send(large)
      near.send(large)
      expect(() => near.send(large)).to.throw(FrameError)
    })

    it('says nothing of half a frame', () => {
      const { near, ends } = pair()
      const bytes = textFrame(DONE, 1, 'whole')
      writeEnd(ends.writeFd, bytes, 0, 20)
      expect(near.receive()).to.equal('nothing')
      writeEnd(ends.writeFd, bytes, 20, bytes.length - 20)
      expect([near.receive(), textOf(near)]).to.deep.equal(['frame', 'whole'])
    })
  })

  describe('when the other side is gone', () => {
    it('finds what it had sent, and then the end', () => {
      const { near, far } = pair()
      far.send(textFrame(DONE, 1, 'last'))
      far.close()
      expect([near.receive(), textOf(near)]).to.deep.equal(['frame', 'last'])
      expect(near.receive()).to.equal('closed')
      expect(near.receive()).to.equal('closed')
    })

    it('tells whoever sends', () => {
      const { near, far } = pair()
      far.close()
      expect(near.send(textFrame(CALL, 1, 'anyone?'))).to.equal(false)
    })

    it('tells when it is closed itself', () => {
      const { near } = pair()
      near.close()
      near.close()
      expect(near.receive()).to.equal('closed')
      expect(near.send(textFrame(CALL, 1, ''))).to.equal(false)
    })
  })
})
