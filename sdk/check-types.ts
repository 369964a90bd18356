/**
 * Types of a plugin's sources, checked by the author's TypeScript or the one beside this package. The one idea: the
 * settings are the folder's own, only the kit is found where building finds it; what is told is the author's files.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, extname, join, resolve } from 'node:path'
import { TEST_KIT } from './kit-names.ts'
import type { PluginProblem } from './plugin-error.ts'
import { AUTHOR_COMPILER_OPTIONS } from './scaffold-files.ts'

/** What the compiler reads of the kit: its sources, or what was declared of them. */
const ENDING = extname(import.meta.filename) === '.ts' ? '.ts' : '.d.ts'
const DIAGNOSTIC = /^(?:(.+?)\((\d+),(\d+)\): )?error (TS\d+: .*)$/
const MAX_OUTPUT = 1 << 20

/** What the compiler said; undefined where there is no compiler. */
export type TypeCheck = readonly PluginProblem[] | undefined

/**
 * Checks all TypeScript files of a folder, by its tsconfig.json if it has one.
 * @returns problems whose files begin with `folder` as it was given; undefined where TypeScript is not installed
 */
export async function checkTypes(folder: string, signal?: AbortSignal): Promise<TypeCheck> {
  const compiler = findCompiler(folder)
  if (compiler === undefined) return undefined
  if (!existsSync(folder)) return []
  const settings = mkdtempSync(join(tmpdir(), 'pronto-types-'))
  try {
    const project = join(settings, 'tsconfig.json')
    const home = realpathSync(folder)
    writeFileSync(project, JSON.stringify(projectOf(home)))
    const words = [compiler, '--noEmit', '--pretty', 'false', '-p', project]
    return problemsIn(await output(words, home, signal), folder, home)
  } finally {
    rmSync(settings, { recursive: true, force: true })
  }
}

/** The compiler's program: the folder's own, a parent's, or this package's. */
function findCompiler(folder: string): string | undefined {
  for (const from of [resolve(folder, 'plugin.ts'), import.meta.filename])
    try {
      const manifest = createRequire(from).resolve('typescript/package.json')
      const { bin } = JSON.parse(readFileSync(manifest, 'utf8')) as { bin: { tsc: string } }
      return join(dirname(manifest), bin.tsc)
    } catch {
      // None there.
    }
  return undefined
}

function projectOf(home: string): object {
  const own = join(home, 'tsconfig.json')
  const kit = Object.entries(TEST_KIT).map(([name, file]) => [
    name,
    [join(import.meta.dirname, file + ENDING)],
  ])
  const ours = { noEmit: true, allowImportingTsExtensions: true, paths: Object.fromEntries(kit) }
  if (existsSync(own)) return { extends: own, compilerOptions: ours }
  return { compilerOptions: { ...AUTHOR_COMPILER_OPTIONS, ...ours }, include: [`${home}/**/*.ts`] }
}

function output(words: readonly string[], cwd: string, signal: AbortSignal | undefined): Promise<string> {
  const child = spawn(process.execPath, [...words], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  })
  let text = ''
  const take = (part: Buffer): void => {
    if (text.length < MAX_OUTPUT) text += part.toString()
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  return new Promise((settle, reject) => {
    child.on('error', reject)
    child.on('close', () => settle(text))
  })
}

/** Problems of the author's own files, in order; those of other files are not theirs to mend. */
function problemsIn(text: string, folder: string, home: string): PluginProblem[] {
  const problems: { file: string; line?: number; column?: number; message: string }[] = []
  let isTheirs = false
  for (const line of text.split('\n')) {
    const match = DIAGNOSTIC.exec(line)
    if (match === null) {
      if (isTheirs && line.startsWith('  ')) problems.at(-1)!.message += `\n${line}`
      continue
    }
    const [, named, row, column, message] = match as unknown as [string, string?, string?, string?, string?]
    const file = named === undefined ? undefined : resolve(home, named)
    isTheirs = file === undefined || (file.startsWith(`${home}/`) && !file.includes('/node_modules/'))
    if (!isTheirs) continue
    if (file === undefined) problems.push({ file: join(folder, 'tsconfig.json'), message: message! })
    else
      problems.push({
        file: join(folder, file.slice(home.length + 1)),
        line: Number(row),
        column: Number(column),
        message: message!,
      })
  }
  return problems
}
