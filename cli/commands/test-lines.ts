/** Results of an author's tests as lines for people. */
import { type Paint, PLAIN } from '../../lab/index.ts'
import type { TestResult, TestRun } from '../../sdk/tools.ts'
import { harmless } from './refusals.ts'

const SLOW_MS = 100
const MESSAGE_LINES = 24

/** One line; below it where and why it failed. */
export function resultLines(result: TestResult, paint: Paint = PLAIN): string[] {
  const { path, status, milliseconds, failure } = result
  const mark = { passed: paint.good('✓'), failed: paint.bad('✗'), skipped: '-', todo: '-' }[status]
  const took = milliseconds < SLOW_MS ? '' : paint.dim(`  ${milliseconds.toFixed(0)} ms`)
  const note = status === 'skipped' || status === 'todo' ? paint.dim(`  ${status}`) : ''
  const heading = `${mark} ${harmless(path.join(' > '))}${took}${note}`
  if (failure === undefined) return [heading]
  const { message, place } = failure
  const where = place === undefined ? result.file : `${place.file}:${place.line}:${place.column}`
  const why = message.trimEnd().split('\n').slice(0, MESSAGE_LINES)
  return [heading, `    ${where}`, ...why.map((line) => `    ${harmless(line)}`.trimEnd())]
}

/** `7 tests passed`, `1 of 7 tests failed`. */
export function totalLine({ passed, failed, skipped }: TestRun, paint: Paint = PLAIN): string {
  const total = passed + failed
  const some = skipped === 0 ? '' : paint.dim(`, ${skipped} skipped`)
  if (failed > 0) return paint.bad(`${failed} of ${counted(total, 'test')} failed`) + some
  return `${paint.good(`${counted(total, 'test')} passed`)}${some}`
}

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
