/**
 * An HTTP client that is curl, one process for each request. The one idea: what the lab asks for is done by a program
 * that everybody trusts; every byte that it prints is compared with the known pattern.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import {
  type Attempt,
  Campaign,
  type CampaignOptions,
  type ClientReport,
  matchesPattern,
  SECOND,
  type Sockets,
} from '../../../host/stack/index.ts'

export interface CurlClientOptions extends CampaignOptions {
  /** `http://ADDRESS:PORT/` */
  readonly url: string
  /** Source address. */
  readonly from?: string
  /** File to send as the body of a POST; without it a GET is sent. */
  readonly uploadFile?: string
}

/** What curl tells of a request; see `--write-out` in its manual. */
interface Told {
  readonly http_code: number
  readonly exitcode: number
  readonly size_download: number
  readonly size_header: number
  readonly size_request: number
  readonly size_upload: number
  readonly time_total: number
}

/** Standard error: a line of JSON, then the name of who answered. */
const WRITE_OUT = '%{stderr}%{json}\n%header{x-pronto-host}\n'
const MAX_TOLD = 65_536

export class CurlClient {
  readonly #campaign: Campaign
  readonly #words: readonly string[]

  constructor(sockets: Sockets, options: CurlClientOptions) {
    this.#campaign = new Campaign(sockets, options, (attempt) => this.#start(attempt))
    const { url, from, uploadFile, timeoutNs = 30 * SECOND } = options
    this.#words = [
      ...['--disable', '--silent', '--http1.1', '--globoff', '--noproxy', '*'],
      ...[
        '--max-time',
        String(timeoutNs / SECOND),
        '--header',
        'Connection: close',
        '--user-agent',
        'pronto',
      ],
      ...['--write-out', WRITE_OUT],
      ...(from === undefined ? [] : ['--interface', from]),
      ...(uploadFile === undefined ? [] : uploadWords(uploadFile)),
      url,
    ]
  }

  get report(): ClientReport {
    return this.#campaign.report
  }

  get done(): boolean {
    return this.#campaign.done
  }

  begin(): void {
    this.#campaign.begin()
  }

  stop(): void {
    this.#campaign.stop()
  }

  #start(attempt: Attempt): void {
    const child = spawn('curl', [...this.#words], { stdio: ['ignore', 'pipe', 'pipe'] })
    let received = 0
    let intact = true
    let told = ''
    attempt.abandon = () => end(child)
    child.stdout.on('data', (bytes: Buffer) => {
      intact &&= matchesPattern(bytes, received)
      received += bytes.length
    })
    child.stderr.on('data', (part: Buffer) => {
      if (told.length < MAX_TOLD) told += part.toString('latin1')
    })
    child.on('error', () => attempt.fail('no-tool'))
    child.on('close', () => this.#judge(attempt, told, intact))
  }

  #judge(attempt: Attempt, text: string, intact: boolean): void {
    const [first = '', server = ''] = text.split('\n')
    const told = parse(first)
    if (attempt.over) return
    if (told === undefined) return attempt.fail('ended')
    this.#campaign.bytesIn += told.size_download + told.size_header
    this.#campaign.bytesOut += told.size_upload + told.size_request
    attempt.latencyNs = told.time_total * SECOND
    if (told.exitcode !== 0) attempt.fail(`curl-${told.exitcode}`)
    else if (told.http_code !== 200) attempt.fail(`status-${told.http_code}`)
    else if (!intact) attempt.corrupt()
    else attempt.succeed(server)
  }
}

/** Without a target of its own, curl would ask for the file's name. */
function uploadWords(file: string): string[] {
  return ['--request', 'POST', '--request-target', '/', '--header', 'Expect:', '--upload-file', file]
}

function end(child: ChildProcess): void {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
}

function parse(line: string): Told | undefined {
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
