import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { describe, it } from 'mocha'

/**
 * The house, enforced: which room may import which, that rooms are entered by their doors, where each library
 * lives, and that files stay small. The rooms and arrows are those of docs/architecture.md.
 */
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/** Room -> rooms it may import. `*` is a documented set of doors, checked below. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  document: ['engine'],
  'execution-env': ['engine'],
  host: ['engine', 'document', 'execution-env'],
  router: ['engine', 'document', 'execution-env', 'host'],
  lab: ['engine', 'document', 'execution-env', 'host', 'router', 'sdk'],
  sdk: ['execution-env', 'engine'],
  cli: ['engine', 'document', 'execution-env', 'host', 'router', 'lab', 'sdk'],
  plugins: ['sdk'],
  examples: ['sdk'],
  bench: ['engine', 'document', 'execution-env', 'host', 'router', 'lab', 'sdk', 'cli', 'plugins'],
  test: [
    'engine',
    'document',
    'execution-env',
    'host',
    'router',
    'lab',
    'sdk',
    'cli',
    'plugins',
    'examples',
    'bench',
  ],
}

/** Doors other than `<room>/index.ts`: a path prefix and who may use it. */
const DOORS: readonly { readonly path: string; readonly from: readonly string[] }[] = [
  {
    path: 'engine/wire/index.ts',
    from: ['document', 'execution-env', 'host', 'router', 'lab', 'sdk', 'cli'],
  },
  { path: 'engine/scheduler/start-time-fair.ts', from: ['execution-env', 'host'] },
  { path: 'engine/signaling/message.ts', from: ['host', 'execution-env', 'router', 'lab'] },
  { path: 'engine/ports/linux/index.ts', from: ['host', 'router', 'lab', 'cli'] },
  { path: 'execution-env/certificates/index.ts', from: ['host', 'router', 'lab', 'cli', 'sdk'] },
  { path: 'execution-env/contract/index.ts', from: ['sdk', 'router', 'lab', 'cli', 'plugins'] },
  { path: 'execution-env/contract/api/index.ts', from: ['sdk', 'router', 'lab', 'plugins'] },
  { path: 'execution-env/sandbox/index.ts', from: ['sdk', 'router', 'lab'] },
  { path: 'execution-env/bundle/index.ts', from: ['sdk', 'router', 'lab', 'cli'] },
  { path: 'host/agent/index.ts', from: ['lab', 'cli'] },
  { path: 'host/agent/linux/index.ts', from: ['cli', 'lab'] },
  { path: 'host/stack/index.ts', from: ['lab', 'cli'] },
  { path: 'lab/file/index.ts', from: ['cli'] },
  { path: 'router/policy/index.ts', from: ['lab'] },
  { path: 'router/signaling/index.ts', from: ['lab'] },
  { path: 'router/control-client/index.ts', from: ['lab', 'cli'] },
  { path: 'sdk/policies/index.ts', from: ['plugins', 'examples'] },
  { path: 'sdk/tools.ts', from: ['lab', 'cli'] },
]

/** Library -> the only folders that may import it. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  'isolated-vm': ['execution-env/sandbox'],
  'node-forge': ['execution-env/certificates', 'cli', 'sdk'],
  ajv: ['document', 'execution-env/contract', 'router'],
  ws: ['router'],
  koffi: ['engine/ports/linux'],
  esbuild: ['sdk'],
  yaml: ['document'],
}

interface Import {
  readonly file: string
  readonly target: string
  readonly library: boolean
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name)
    if (name === 'node_modules' || name === 'fixtures') return []
    if (statSync(join(root, path)).isDirectory()) return sources(path)
    return /\.(ts|mjs)$/.test(name) ? [path] : []
  })
}

function importsOf(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const pattern = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g
  return [...text.matchAll(pattern)].map((match) => {
    const name = match[1]!
    if (!name.startsWith('.')) return { file, target: name, library: true }
    return { file, target: relative(root, resolve(root, dirname(file), name)), library: false }
  })
}

const room = (path: string): string => path.split('/')[0]!
const files = Object.keys(ARROWS).flatMap((name) => {
  try {
    return sources(name)
  } catch {
    return []
  }
})
const imports = files.flatMap(importsOf)

describe('architecture', () => {
  it('has sources to look at', () => {
    expect(files.length).to.be.greaterThan(10)
    expect(imports.length).to.be.greaterThan(10)
  })

  it('keeps the arrows between rooms one-way', () => {
    const wrong = imports
      .filter((each) => !each.library && room(each.file) !== room(each.target))
      .filter((each) => !(ARROWS[room(each.file)] ?? []).includes(room(each.target)))
    expect(wrong.map((each) => `${each.file} imports ${each.target}`)).to.deep.equal([])
  })

  it('enters other rooms by their doors only', () => {
    const wrong = imports
      .filter((each) => !each.library && room(each.file) !== room(each.target))
      .filter((each) => !['test', 'bench'].includes(room(each.file)))
      .filter((each) => each.target !== `${room(each.target)}/index.ts`)
      .filter((each) => !DOORS.some((d) => d.path === each.target && d.from.includes(room(each.file))))
    expect(wrong.map((each) => `${each.file} imports ${each.target}`)).to.deep.equal([])
  })

  it('keeps each library in its room', () => {
    const wrong = imports
      .filter((each) => each.library && LIBRARIES[each.target] !== undefined)
      .filter((each) => !['test', 'bench'].includes(room(each.file)))
      .filter((each) => !LIBRARIES[each.target]!.some((folder) => each.file.startsWith(folder)))
    expect(wrong.map((each) => `${each.file} imports ${each.target}`)).to.deep.equal([])
  })

  it('has no import cycle between files', () => {
    const graph = new Map<string, string[]>()
    for (const each of imports)
      if (!each.library) graph.set(each.file, [...(graph.get(each.file) ?? []), each.target])
    const state = new Map<string, 'open' | 'done'>()
    const cycles: string[] = []
    const visit = (file: string, path: string[]): void => {
      if (state.get(file) === 'done') return
      if (state.get(file) === 'open') {
        cycles.push([...path.slice(path.indexOf(file)), file].join(' > '))
        return
      }
      state.set(file, 'open')
      for (const next of graph.get(file) ?? []) visit(next, [...path, file])
      state.set(file, 'done')
    }
    for (const file of graph.keys()) visit(file, [])
    expect(cycles).to.deep.equal([])
  })

  it('keeps clocks and ambient randomness out of the engine and the host stack', () => {
    const pattern = /\b(Date\.now|performance\.now|process\.hrtime|Math\.random|setTimeout|setInterval)\b/
    const wrong = files
      .filter((file) => file.startsWith('engine/') || file.startsWith('host/stack/'))
      .filter((file) => !file.startsWith('engine/ports/linux/'))
      .filter((file) => pattern.test(readFileSync(join(root, file), 'utf8')))
    expect(wrong).to.deep.equal([])
  })

  it('keeps source files below 400 lines', () => {
    const long = files
      .filter((file) => room(file) !== 'test')
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length }))
      .filter(({ lines }) => lines > 400)
    expect(long).to.deep.equal([])
  })
})
