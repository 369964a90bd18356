/**
 * `npm run bench [-- NAME] [--json]`: runs the benchmarks and prints their figures against their targets. Exit 0
 * when every target that is stated as a ratio is met, 1 otherwise; absolutes of this machine are shown only.
 */
import { readdirSync } from 'node:fs'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import type { Benchmark, Figure } from './benchmark.ts'

interface Measured {
  readonly benchmark: string
  readonly figures: readonly Figure[]
}

const folder = new URL('.', import.meta.url)

function options(): { names: string[]; json: boolean; help: boolean } {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    })
    return { names: positionals, json: values.json === true, help: values.help === true }
  } catch (error) {
    process.stderr.write(`bench: ${(error as Error).message}\n`)
    process.exit(2)
  }
}

async function load(): Promise<Benchmark[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith('.bench.ts'))
  const modules = await Promise.all(files.sort().map((name) => import(new URL(name, folder).href)))
  return modules.map((module: { bench: Benchmark }) => module.bench)
}

/** Whether a figure meets its target; undefined where it has none. */
function meets(figure: Figure): boolean | undefined {
  if (figure.target === undefined) return undefined
  const { relation, value } = figure.target
  return relation === '<=' ? figure.value <= value : figure.value >= value
}

function number(value: number): string {
  if (value !== 0 && Math.abs(value) < 10) return value.toFixed(3)
  return value < 1000 ? value.toFixed(1) : Math.round(value).toLocaleString('en-US')
}

function line(figure: Figure): string {
  const { name, unit, value, min, max, target } = figure
  const spread = `(${number(min)} .. ${number(max)})`
  const goal = target === undefined ? '' : `${target.relation} ${number(target.value)}`
  const verdict = { true: 'met', false: 'NOT MET', undefined: '' }[String(meets(figure))]
  return `  ${name.padEnd(62)} ${number(value).padStart(11)} ${unit.padEnd(10)} ${spread.padEnd(24)} ${goal.padEnd(10)} ${verdict}`
}

const { names, json, help } = options()
const all = await load()
if (help) {
  process.stdout.write('Usage: npm run bench [-- NAME ...] [--json]\n\n')
  for (const { name, describes } of all) process.stdout.write(`  ${name.padEnd(14)} ${describes}\n`)
  process.exit(0)
}
const unknown = names.filter((name) => !all.some((each) => each.name === name))
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no benchmark ${unknown.join(', ')}; there are ${all.map((each) => each.name).join(', ')}\n`,
  )
  process.exit(2)
}
const measured: Measured[] = []
if (!json)
  process.stdout.write(
    `${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} cores, Node ${process.version}\n`,
  )
for (const benchmark of all) {
  if (names.length > 0 && !names.includes(benchmark.name)) continue
  if (!json) process.stdout.write(`\n${benchmark.name}: ${benchmark.describes}\n`)
  const figures = await benchmark.run()
  measured.push({ benchmark: benchmark.name, figures })
  if (!json) for (const each of figures) process.stdout.write(`${line(each)}\n`)
}
if (json)
  process.stdout.write(`${JSON.stringify({ node: process.version, benchmarks: measured }, null, 2)}\n`)
// A noisy neighbour may spoil an absolute, not a ratio of one run.
const missed = measured
  .flatMap(({ figures }) => figures)
  .filter((each) => each.unit === 'ratio' && meets(each) === false)
process.exit(missed.length === 0 ? 0 : 1)
