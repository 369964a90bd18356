import { expect } from 'chai'
import { before, describe, it } from 'mocha'
import { libc, Waiter } from '../../../../engine/ports/linux/index.ts'
import { requireLinux } from '../../../support/linux.ts'

const NEVER = Number.POSITIVE_INFINITY
const NONBLOCK = 0x800

/** Whether a wait ended, without waiting for it. */
async function ended(wait: Promise<void>): Promise<boolean> {
  let done = false
  void wait.then(() => {
    done = true
  })
  await new Promise((resolve) => setTimeout(resolve, 20))
  return done
}

describe('Waiter', () => {
  before(function () {
    requireLinux(this)
  })

  it('ends when the time is over', async () => {
    const waiter = new Waiter()
    await waiter.wait([], 1_000_000)
    await waiter.wait([], 0)
    await waiter.wait([-1], 1)
    waiter.close()
  })

  it('ends when a descriptor becomes readable, and not before', async () => {
    const waiter = new Waiter()
    const event = libc().eventfd(0, NONBLOCK)
    const wait = waiter.wait([-1, event], NEVER)
    expect(await ended(wait)).to.equal(false)
    libc().writeBytes(event, Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0), 8)
    await wait
    libc().close(event)
    waiter.close()
  })

  it('ends by a wake, also by one that came before', async () => {
    const waiter = new Waiter()
    const wait = waiter.wait([], NEVER)
    expect(await ended(wait)).to.equal(false)
    waiter.wake()
    await wait
    waiter.wake()
    waiter.wake()
    await waiter.wait([], NEVER)
    const last = waiter.wait([], NEVER)
    expect(await ended(last), 'a wake counts once').to.equal(false)
    waiter.close()
    await last
  })

  it('refuses a second wait at the same time', async () => {
    const waiter = new Waiter()
    const wait = waiter.wait([], NEVER)
    expect(() => waiter.wait([], NEVER)).to.throw('second wait')
    waiter.close()
    waiter.close()
    await wait
    await waiter.wait([], NEVER)
  })
})
