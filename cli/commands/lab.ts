/** The lab commands that bring nothing to life: validate, graph, schema; and `down`, which ends what is. */
import {
  BACKEND_NAMES,
  type Backend,
  type BackendName,
  BackendUnavailableError,
  checkBackend,
  type DownResult,
  drawGraph,
  GRAPH_FORMATS,
  hint,
  type LabFile,
  labSchema,
} from '../../lab/index.ts'
import { type Call, type Command, DONE, type ExitCode, UsageError } from '../command.ts'
import { tellingLabFailures } from './lab-failures.ts'
import { BACKEND_OPTION, backendName, FILE, LOAD_OPTIONS, loadLab } from './lab-options.ts'

export const labValidate: Command = {
  words: ['lab', 'validate'],
  summary: 'Check a lab file and, with --backend, that the backend can honour every key of it',
  parameters: [FILE],
  options: { ...BACKEND_OPTION, ...LOAD_OPTIONS },
  async run(call) {
    const labFile = loadLab(call)
    if (call.option('backend') !== undefined)
      checkBackend(labFile, await call.backends.open(backendName(call)))
    const { lab } = labFile
    const counts = { nodes: lab.nodes.length, links: lab.links.length, events: lab.events.length }
    if (call.json) call.terminal.printJson({ file: labFile.file, valid: true, lab: lab.name, ...counts })
    else call.terminal.print(`${labFile.file}: ${lab.name} is valid: ${describe(labFile)}`)
    return DONE
  },
}

function describe({ lab }: LabFile): string {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`
  return [
    count(lab.nodes.length, 'node'),
    count(lab.links.length, 'link'),
    count(lab.events.length, 'event'),
    count(lab.expectations.length, 'expectation'),
  ].join(', ')
}

export const labGraph: Command = {
  words: ['lab', 'graph'],
  summary: 'Draw the topology of a lab',
  parameters: [FILE],
  options: {
    ...LOAD_OPTIONS,
    format: { value: GRAPH_FORMATS.join('|'), describes: 'language of the drawing; default mermaid' },
  },
  run(call) {
    const text = call.option('format') ?? 'mermaid'
    const format = GRAPH_FORMATS.find((each) => each === text)
    if (format === undefined)
      throw new UsageError(
        `--format: expected ${GRAPH_FORMATS.join(' or ')}, got ${text}${hint(text, GRAPH_FORMATS)}`,
      )
    const { lab } = loadLab(call)
    if (call.json)
      call.terminal.printJson({ lab: lab.name, nodes: lab.nodes.map(plainNode), links: lab.links })
    else call.terminal.printText(drawGraph(lab, format))
    return DONE
  },
}

function plainNode({ name, kind, interfaces }: LabFile['lab']['nodes'][number]): object {
  return { name, kind, interfaces }
}

export const labSchemaCommand: Command = {
  words: ['lab', 'schema'],
  summary: 'Print the JSON schema of lab files',
  parameters: [],
  options: {},
  run(call) {
    call.terminal.printJson(labSchema)
    return DONE
  },
}

export const labDown: Command = {
  words: ['lab', 'down'],
  summary: 'Remove what a lab that was up has left, also after a crash',
  parameters: [FILE],
  options: {
    backend: { value: BACKEND_NAMES.join('|'), describes: 'what brought the lab to life; default any' },
    ...LOAD_OPTIONS,
  },
  run: (call) => tellingLabFailures(() => takeDown(call)),
}

async function takeDown(call: Call): Promise<ExitCode> {
  // Real hosts first: the sockets of their routers would look like those of a simulated lab that is up.
  const names = call.option('backend') === undefined ? BACKEND_NAMES.toReversed() : [backendName(call)]
  const { lab } = loadLab(call)
  const results: DownResult[] = []
  for (const name of names) {
    const backend = await openIfPossible(call, name)
    if (backend !== undefined) results.push(await backend.down(lab))
  }
  const found = results.some((each) => each.found)
  const removed = results.flatMap((each) => each.removed)
  if (call.json) call.terminal.printJson({ lab: lab.name, found, removed })
  else if (!found) call.terminal.print(`${lab.name} is not up`)
  else call.terminal.print(...removed.map((each) => `removed ${each}`), `${lab.name} is down`)
  return DONE
}

/** A backend that this machine does not have has left nothing here, unless it was asked for by name. */
async function openIfPossible(call: Call, name: BackendName): Promise<Backend | undefined> {
  try {
    return await call.backends.open(name)
  } catch (error) {
    if (call.option('backend') === undefined && error instanceof BackendUnavailableError) return undefined
    throw error
  }
}
