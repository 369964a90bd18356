import { expect } from 'chai'
import { describe, it } from 'mocha'
import { Cookies } from '../../../router/signaling/cookies.ts'

const SECRET = new Uint8Array(32).fill(3)
const NONCE = new Uint8Array(8).fill(1)
const SECOND = 1e9

describe('Cookies', () => {
  it('are right for whom they were made for, in their slot and the next one', () => {
    const cookies = new Cookies(SECRET)
    const cookie = cookies.make(NONCE, 7, 80, 7.9 * SECOND)
    const isRight = (nonce: Uint8Array, address: number, port: number, at: number) =>
      cookies.isRight(cookie, nonce, address, port, at * SECOND)
    expect(isRight(NONCE, 7, 80, 7.95)).to.equal(true)
    expect(isRight(NONCE, 7, 80, 15.9)).to.equal(true)
    expect(isRight(NONCE, 7, 80, 16)).to.equal(false)
    expect(isRight(NONCE, 8, 80, 8)).to.equal(false)
    expect(isRight(NONCE, 7, 81, 8)).to.equal(false)
    expect(isRight(new Uint8Array(8), 7, 80, 8)).to.equal(false)
    expect(new Cookies(new Uint8Array(32)).isRight(cookie, NONCE, 7, 80, 8 * SECOND)).to.equal(false)
  })

  it('stay spent for as long as they are right', () => {
    const cookies = new Cookies(SECRET)
    for (const [madeAt, spentAt] of [
      [0, 0],
      [7, 8.5],
      [20, 31.9],
    ] as const) {
      const cookie = cookies.make(NONCE, 1, madeAt, madeAt * SECOND)
      expect(cookies.isSpent(cookie, spentAt * SECOND)).to.equal(false)
      expect(cookies.spend(cookie, spentAt * SECOND)).to.equal(true)
      for (let at = spentAt; cookies.isRight(cookie, NONCE, 1, madeAt, at * SECOND); at += 0.5)
        expect(cookies.isSpent(cookie, at * SECOND), `made ${madeAt}, at ${at}`).to.equal(true)
    }
  })

  it('are remembered in a bounded number', () => {
    const cookies = new Cookies(SECRET)
    let spent = 0
    for (let i = 0; i < 20_000; i++) if (cookies.spend(cookies.make(NONCE, i, 1, 0), 0)) spent++
    expect(spent).to.equal(8192)
  })
})
