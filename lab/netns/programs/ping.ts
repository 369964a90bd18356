/** One echo request by the system's `ping`: the kernel's own ICMP, without a raw socket of ours. */
import { spawn } from 'node:child_process'
import { formatIpv4Address } from '../../../engine/wire/index.ts'
import { patternChunk, SECOND, type Sockets } from '../../../host/stack/index.ts'

type Ping = Sockets['icmp']['ping']

/** As many bytes as `ping` repeats. */
const PATTERN_BYTES = 16
const NS_PER_MS = 1e6

/** Echo requests of this process are one flow, as those of one program are. 1..65535 */
const IDENTIFIER = 1 + (process.pid % 0xfffe)

/** Sends an echo request and tells what came of it. The first bytes of what it carries are `ping`'s own. */
export const ping: Ping = ({ to, from, payload, timeoutNs = SECOND }, done) => {
  const bytes = payload?.length ?? 56
  const pattern = Buffer.from(patternChunk(0, PATTERN_BYTES)).toString('hex')
  const source = from === undefined ? [] : ['-I', formatIpv4Address(from)]
  const words = [
    '-4',
    '-n',
    '-c',
    '1',
    '-e',
    String(IDENTIFIER),
    '-s',
    String(bytes),
    '-W',
    String(timeoutNs / SECOND),
    '-p',
    pattern,
  ]
  const child = spawn('ping', [...words, ...source, formatIpv4Address(to)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let text = ''
  child.stdout.on('data', (part: Buffer) => {
    text += part.toString('latin1')
  })
  child.on('error', () => done({ outcome: 'unreachable' }))
  child.on('close', () => {
    const time = /time[=<]([\d.]+) ms/.exec(text)
    if (time === null) {
      done({ outcome: /nreachable/.test(text) ? 'unreachable' : 'timeout' })
      return
    }
    const intact = !text.includes('wrong data byte') && !text.includes('truncated')
    // Whoever checks the bytes finds those that were sent, or none of them.
    const echoed = intact ? (payload ?? patternChunk(0, bytes)) : new Uint8Array(0)
    done({ outcome: 'reply', roundTripNs: Number(time[1]) * NS_PER_MS, payload: echoed })
  })
}
