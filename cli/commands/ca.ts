/** `pronto ca`: an authority kept in a folder (docs/certificates.md). */
import { join } from 'node:path'
import { hint } from '../../document/index.ts'
import {
  AuthorityDirectory,
  describeGrant,
  type Grant,
  parseGrant,
  REVOCATION_REASONS,
  type RevocationList,
  type RevocationReason,
  USAGES,
  type Usage,
} from '../../execution-env/certificates/index.ts'
import {
  type Call,
  type Command,
  DONE,
  type ExitCode,
  type OptionSpec,
  type Parameter,
  UsageError,
} from '../command.ts'
import { readInput } from '../files.ts'
import { tellingRefusals } from './refusals.ts'

const DAY_MS = 86_400_000
const ROOT_DAYS = 3_650
const CERTIFICATE_DAYS = 365
const DAYS_MAX = 36_500
/** Certificates hold from an hour before they are made, for clocks that are behind. */
const BEFORE_MS = 3_600_000
const GRANT_BYTES_MAX = 65_536

const DIR: Parameter = { name: 'DIR', describes: "the authority's folder; keep it off routers" }

const days = (usual: number): Readonly<Record<string, OptionSpec>> => ({
  days: { value: 'N', describes: `for how many days it holds; default ${usual}` },
})
const instant = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

export const caInit: Command = {
  words: ['ca', 'init'],
  summary: 'Make an authority in a folder: a root certificate, its key and an empty revocation list',
  parameters: [DIR],
  options: {
    name: { value: 'NAME', describes: 'what it is called; default Pronto authority' },
    ...days(ROOT_DAYS),
  },
  run: (call) => tellingRefusals(() => initialise(call)),
}

function initialise(call: Call): ExitCode {
  const [path] = call.arguments as readonly [string]
  const name = call.option('name') ?? 'Pronto authority'
  const { certificate } = AuthorityDirectory.create(path, { name, ...validity(call, ROOT_DAYS) })
  const files = { certificate: join(path, 'ca.crt'), key: join(path, 'ca.key'), list: join(path, 'crl.pem') }
  const { subject, notAfterMs } = certificate
  if (call.json) call.terminal.printJson({ subject, notAfter: instant(notAfterMs), ...files })
  else
    call.terminal.print(
      `${subject} holds until ${instant(notAfterMs)}`,
      `  ${files.certificate}  the root: what routers trust`,
      `  ${files.list}  its revocation list: beside the root, renewed within 30 days (pronto ca crl)`,
      `  ${files.key}  its private key: never leaves this folder`,
    )
  return DONE
}

export const caIssue: Command = {
  words: ['ca', 'issue'],
  summary: 'Issue a certificate with a new key',
  parameters: [DIR],
  options: {
    name: { value: 'N', describes: 'whose it is; the files are DIR/N.crt and DIR/N.key' },
    type: { value: USAGES.join('|'), describes: 'what it is for' },
    grant: { value: 'FILE', describes: 'what it grants, as JSON; without it: nothing' },
    ...days(CERTIFICATE_DAYS),
  },
  run: (call) => tellingRefusals(() => issue(call)),
}

async function issue(call: Call): Promise<ExitCode> {
  const [path] = call.arguments as readonly [string]
  const name = mandatory(call, 'name', 'N')
  const type = oneOf<Usage>('--type', mandatory(call, 'type', USAGES.join('|')), USAGES)
  const { notBeforeMs, notAfterMs } = validity(call, CERTIFICATE_DAYS)
  const grant = await readGrant(call.option('grant'))
  const authority = AuthorityDirectory.open(path)
  const request = {
    name,
    type,
    notBeforeMs,
    notAfterMs: Math.min(notAfterMs, authority.certificate.notAfterMs),
  }
  const { credential, certificateFile, keyFile } = authority.issue({ ...request, ...(grant && { grant }) })
  const { serial, subject, notAfterMs: end } = credential.certificate
  if (call.json) {
    const files = { certificate: certificateFile, key: keyFile }
    call.terminal.printJson({ subject, type, serial, notAfter: instant(end), grant: grant ?? {}, ...files })
  } else
    call.terminal.print(
      `${subject}, ${type}, serial ${serial}, holds until ${instant(end)}`,
      `  ${certificateFile}`,
      `  ${keyFile}  private`,
      ...grantLines(grant ?? {}),
    )
  return DONE
}

async function readGrant(file: string | undefined): Promise<Grant | undefined> {
  if (file === undefined) return undefined
  return tellingRefusals(() => parseGrant(readInput(file, GRANT_BYTES_MAX)), file)
}

function grantLines(grant: Grant): string[] {
  const lines = describeGrant(grant)
  return lines.length === 0 ? ['  grants nothing (--grant FILE)'] : lines.map((line) => `  grants ${line}`)
}

export const caRevoke: Command = {
  words: ['ca', 'revoke'],
  summary: 'Take a certificate back and write the revocation list',
  parameters: [DIR, { name: 'SERIAL', describes: 'its serial number in hexadecimal' }],
  options: { reason: { value: REVOCATION_REASONS.join('|'), describes: 'why; default unspecified' } },
  run: (call) => tellingRefusals(() => revoke(call)),
}

function revoke(call: Call): ExitCode {
  const [path, serial] = call.arguments as readonly [string, string]
  const reason = oneOf<RevocationReason>(
    '--reason',
    call.option('reason') ?? 'unspecified',
    REVOCATION_REASONS,
  )
  const list = AuthorityDirectory.open(path).revoke(serial, reason, Date.now())
  return tellList(call, path, list, `${serial} is revoked (${reason})`)
}

export const caList: Command = {
  words: ['ca', 'crl'],
  summary: 'Write the revocation list anew, so that it is not due for 30 days',
  parameters: [DIR],
  options: {},
  run: (call) =>
    tellingRefusals(() => {
      const [path] = call.arguments as readonly [string]
      return tellList(call, path, AuthorityDirectory.open(path).publishList(Date.now()))
    }),
}

function tellList(call: Call, path: string, list: RevocationList, ...before: readonly string[]): ExitCode {
  const file = join(path, 'crl.pem')
  const { number, nextUpdateMs, revoked } = list
  const due = instant(nextUpdateMs)
  if (call.json) call.terminal.printJson({ file, number, due, revoked: [...revoked.keys()] })
  else
    call.terminal.print(
      ...before,
      `${file}  list ${number}: ${revoked.size} revoked, due on ${due}; take it to every router`,
    )
  return DONE
}

/** From a little before now on. @throws UsageError */
function validity(call: Call, usual: number): { notBeforeMs: number; notAfterMs: number } {
  const text = call.option('days') ?? String(usual)
  const count = /^\d{1,5}$/.test(text) ? Number(text) : 0
  if (count < 1 || count > DAYS_MAX)
    throw new UsageError(`--days: expected a whole number from 1 to ${DAYS_MAX}, got ${text}`)
  const nowMs = Date.now()
  return { notBeforeMs: nowMs - BEFORE_MS, notAfterMs: nowMs + count * DAY_MS }
}

function mandatory(call: Call, name: string, value: string): string {
  const given = call.option(name)
  if (given === undefined) throw new UsageError(`expected --${name} ${value}`)
  return given
}

function oneOf<Name extends string>(option: string, text: string, names: readonly Name[]): Name {
  const found = names.find((each) => each === text)
  if (found === undefined)
    throw new UsageError(`${option}: expected ${names.join(', ')}, got ${text}${hint(text, names)}`)
  return found
}
