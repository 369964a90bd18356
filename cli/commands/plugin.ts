/**
 * `pronto plugin new|build|sign|verify|inspect`: the author's way from a folder to a bundle that routers load. `dev` and
 * `test` have files of their own.
 */
import { resolve } from 'node:path'
import { MAX_BUNDLE_BYTES, type VerifiedBundle } from '../../execution-env/bundle/index.ts'
import { describeCapabilities } from '../../execution-env/contract/index.ts'
import {
  buildPlugin,
  type ClaimedSignature,
  inspectPlugin,
  scaffoldPlugin,
  signPlugin,
  verifyPlugin,
} from '../../sdk/tools.ts'
import { authorCommand } from '../author-command.ts'
import { type Call, type Command, DONE, type ExitCode, type Parameter, UsageError } from '../command.ts'
import { readInput, writeOutput } from '../files.ts'
import { packageRoot } from '../package-root.ts'
import { harmless, tellingRefusals, warningLines } from './refusals.ts'

const BUNDLE: Parameter = { name: 'BUNDLE', describes: 'a file NAME-VERSION.pronto' }

const instant = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z')

export const pluginNew: Command = {
  words: ['plugin', 'new'],
  summary: 'Make a folder with a small plugin, its test and a lab to begin with',
  parameters: [{ name: 'NAME', describes: 'lower-case letters, digits and hyphens' }],
  options: {},
  run: (call) =>
    tellingRefusals(() => {
      const [name] = call.arguments as readonly [string]
      const files = scaffoldPlugin('.', name, authorCommand(name, packageRoot()))
      if (call.json) call.terminal.printJson({ name, files })
      else call.terminal.print(...files, '', `next: cd ${name}, then npm run dev, npm test or npm run build`)
      return DONE
    }),
}

export const pluginBuild: Command = {
  words: ['plugin', 'build'],
  summary: "Build a plugin's folder into an unsigned bundle",
  parameters: [{ name: 'FOLDER', describes: 'with pronto.json; default: this folder', optional: true }],
  options: {
    out: { value: 'FILE', describes: 'where it is written; default NAME-VERSION.pronto in this folder' },
  },
  run: (call) => tellingRefusals(() => build(call)),
}

async function build(call: Call): Promise<ExitCode> {
  const [folder = '.'] = call.arguments
  const { manifest, bytes, fileName, digest, codeBytes, warnings } = await buildPlugin(folder)
  const file = call.option('out') ?? fileName
  writeOutput(resolve(file), bytes)
  const { name, version } = manifest
  if (call.json) {
    call.terminal.printJson({ file, name, version, digest, bytes: bytes.length, codeBytes, warnings })
    return DONE
  }
  if (warnings.length > 0) call.terminal.tell(...warningLines(warnings))
  call.terminal.print(
    `${file}  ${bytes.length} bytes, ${codeBytes} of code`,
    `  digest    ${digest}`,
    ...columnOf('asks for', describeCapabilities(manifest.capabilities)),
  )
  return DONE
}

export const pluginSign: Command = {
  words: ['plugin', 'sign'],
  summary: "Sign a bundle in place with a signer's certificate",
  parameters: [BUNDLE],
  options: {
    cert: { value: 'C', describes: 'the certificate, as pronto ca issue --type signer writes it' },
    key: { value: 'K', describes: 'its private key' },
  },
  run: (call) => {
    const [file] = call.arguments as readonly [string]
    return tellingRefusals(() => sign(call, file), file, [call.option('cert'), call.option('key')])
  },
}

function sign(call: Call, file: string): ExitCode {
  const [certificate, key] = [mandatory(call, 'cert', 'C'), mandatory(call, 'key', 'K')]
  const signed = signPlugin(readInput(file, MAX_BUNDLE_BYTES), { certificate, key }, Date.now())
  writeOutput(file, signed)
  const { digest, signature } = inspectPlugin(signed)
  if (call.json) call.terminal.printJson({ file, digest, signature })
  else call.terminal.print(`${file} is signed by ${signature!.signer}`, `  digest    ${digest}`)
  return DONE
}

export const pluginVerify: Command = {
  words: ['plugin', 'verify'],
  summary: 'Judge a bundle as a router does before it loads it',
  parameters: [BUNDLE],
  options: {
    trust: { value: 'T', describes: 'what is trusted: a folder with ca.crt and crl.pem, or one file' },
  },
  run: (call) => {
    const [file] = call.arguments as readonly [string]
    return tellingRefusals(() => verify(call, file), file, [call.option('trust')])
  },
}

function verify(call: Call, file: string): ExitCode {
  const trust = mandatory(call, 'trust', 'T')
  const verified = verifyPlugin(readInput(file, MAX_BUNDLE_BYTES), trust, Date.now())
  if (call.json) call.terminal.printJson({ file, valid: true, ...describeVerified(verified) })
  else {
    const { bundle, signer, chain, claimedMs } = verified
    const { name, version, capabilities } = bundle.manifest
    call.terminal.print(
      `${file}: ${name} ${version} may be loaded`,
      `  digest    ${bundle.digest}`,
      `  signed    by ${signer.subject}, serial ${signer.serial}${claimed(claimedMs)}`,
      `  trusted   by ${chain.at(-1)!.subject}`,
      ...columnOf('asks for', describeCapabilities(capabilities)),
    )
  }
  return DONE
}

function describeVerified({ bundle, signer, chain, grant, claimedMs }: VerifiedBundle): object {
  const { name, version, capabilities } = bundle.manifest
  const { subject, serial, fingerprint, notAfterMs } = signer
  return {
    ...{ name, version, digest: bundle.digest, capabilities },
    signer: { subject, serial, fingerprint, notAfter: instant(notAfterMs), grant },
    chain: chain.map((each) => each.subject),
    ...(claimedMs === undefined ? {} : { claimedSigned: instant(claimedMs) }),
  }
}

export const pluginInspect: Command = {
  words: ['plugin', 'inspect'],
  summary: 'Show what a bundle says about itself, without believing it',
  parameters: [BUNDLE],
  options: {},
  run: (call) => {
    const [file] = call.arguments as readonly [string]
    return tellingRefusals(() => inspect(call, file), file)
  },
}

function inspect(call: Call, file: string): ExitCode {
  const inspection = inspectPlugin(readInput(file, MAX_BUNDLE_BYTES))
  if (call.json) {
    call.terminal.printJson({ file, ...inspection })
    return DONE
  }
  const { manifest, capabilities, limits, digest, codeBytes, sourceMapBytes, problems, signature } =
    inspection
  const asked = Object.entries(limits).map(([name, value]) => `${name} ${value}`)
  const verdict = problems.length === 0 ? ['would be accepted'] : problems.map((each) => `refused: ${each}`)
  call.terminal.print(
    `${file}: ${manifest.name} ${manifest.version}, API version ${manifest.apiVersion}`,
    `  digest    ${digest}`,
    `  signed    ${signatureLine(signature)}`,
    `  sizes     ${codeBytes} bytes of code, ${sourceMapBytes} of source map`,
    ...columnOf('code', verdict.map(harmless)),
    ...columnOf('asks for', capabilities.map(harmless)),
    ...columnOf('limits', asked),
  )
  return DONE
}

function signatureLine(signature: ClaimedSignature | undefined): string {
  if (signature === undefined) return 'no'
  return `by ${signature.signer}${claimed(signature.claimedMs)}, not verified (pronto plugin verify)`
}

function claimed(claimedMs: number | undefined): string {
  return claimedMs === undefined ? '' : `, on ${instant(claimedMs)} as it says`
}

function columnOf(heading: string, lines: readonly string[]): string[] {
  const shown = lines.length === 0 ? ['nothing'] : lines
  return shown.map((line, index) => `  ${(index === 0 ? heading : '').padEnd(9)} ${line}`)
}

function mandatory(call: Call, name: string, value: string): string {
  const given = call.option(name)
  if (given === undefined) throw new UsageError(`expected --${name} ${value}`)
  return given
}
