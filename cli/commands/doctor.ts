/** `pronto doctor`: what this machine can do, what is missing, and what brings it. */
import { type Examination, examine, type Finding, formatTable, USE_TITLES, USES } from '../../lab/index.ts'
import { type Command, DONE, FAILED } from '../command.ts'

export const doctor: Command = {
  words: ['doctor'],
  summary: 'Say what this machine can do and what is missing; exit 0 when the simulator runs',
  parameters: [],
  options: {},
  run({ json, terminal }) {
    const examination = examine()
    const simulator = examination.missing.sim.length === 0
    if (json) {
      const { findings, missing, packages } = examination
      terminal.printJson({ simulator, missing, packages, findings })
    } else terminal.print(...describe(examination, terminal.paint))
    return simulator ? DONE : FAILED
  },
}

type Paint = Parameters<typeof formatTable>[2]

function describe({ findings, missing, packages }: Examination, paint: Paint): string[] {
  const rows = findings.map((each) => [mark(each.present, paint), each.what, each.detail, each.remedy ?? ''])
  const uses = USES.map((use) => {
    const lacking = missing[use]
    const what = lacking.length === 0 ? '' : `: missing ${lacking.join(', ')}`
    return `  ${mark(lacking.length === 0, paint).text} ${USE_TITLES[use]}${what}`
  })
  const install = packages.length === 0 ? [] : ['', `apt-get install ${packages.join(' ')}`]
  return [...formatTable(['', 'what', 'found', 'remedy'], rows, paint), '', ...uses, ...install]
}

function mark(present: Finding['present'], paint: Paint): { text: string; paint: (text: string) => string } {
  return present ? { text: '✓', paint: paint.good } : { text: '✗', paint: paint.bad }
}
