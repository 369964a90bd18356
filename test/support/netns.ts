/** Labs of real hosts in tests: a runtime folder of their own, and what they may have left behind. */
import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, type Context } from 'mocha'
import { backends, type LabFile, type Report, type RunRequest, runLab } from '../../lab/index.ts'
import { requireLab } from './oracle.ts'
import { temporaryFolder } from './temporary-folder.ts'

/** Skips the test where labs of real hosts cannot be brought to life. */
export async function requireNetns(context: Context): Promise<void> {
  const lacks = (await backends.open('netns')).lacks?.() ?? []
  if (lacks.length > 0) requireLab(context, lacks.join('; '))
}

/** Gives the tests around it a runtime folder of their own, so that labs of the same name elsewhere are not met. */
export function withOwnRuntime(): void {
  let earlier: string | undefined
  before(() => {
    earlier = process.env['PRONTO_RUNTIME']
    process.env['PRONTO_RUNTIME'] = temporaryFolder('pronto-netns-')
  })
  after(() => {
    if (earlier === undefined) delete process.env['PRONTO_RUNTIME']
    else process.env['PRONTO_RUNTIME'] = earlier
  })
}

/** Runs a lab of real hosts to its end. */
export async function runReal(labFile: LabFile, request: RunRequest = {}): Promise<Report> {
  return await runLab(labFile, await backends.open('netns'), request)
}

/** Namespaces, folders and processes that bear the name of a lab. */
export function remainsOf(lab: string): string[] {
  const spaces = namesIn('/run/netns').filter((name) => name.startsWith(`pronto-${lab}-`))
  const folders = namesIn(tmpdir()).filter((name) => name.startsWith(`pronto-${lab}-`))
  const runtime = namesIn(process.env['PRONTO_RUNTIME'] ?? '').filter((name) => name === lab)
  return [...spaces, ...folders, ...runtime]
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
