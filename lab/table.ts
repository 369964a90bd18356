/**
 * Text tables. The one idea: columns are as wide as their widest cell, numbers stand right, and colour is put on
 * after measuring, so that it never shifts a column.
 */

/** How words are shown: with or without colour. */
export interface Paint {
  bold(text: string): string
  dim(text: string): string
  good(text: string): string
  bad(text: string): string
}

/** No colour at all. */
export const PLAIN: Paint = {
  bold: (text) => text,
  dim: (text) => text,
  good: (text) => text,
  bad: (text) => text,
}

/** A cell: a number is shown in full and stands right; a painted text is measured before it is painted. */
export type Cell = string | number | { readonly text: string; readonly paint: (text: string) => string }

const INDENT = '  '
const GAP = '  '

/** Lines of a table with a heading; columns whose every cell is a number stand right. */
export function formatTable(
  heading: readonly string[],
  rows: readonly (readonly Cell[])[],
  paint: Paint,
): string[] {
  const widths = heading.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => textOf(row[column] ?? '').length)),
  )
  const right = heading.map((_, column) => rows.every((row) => isQuantity(row[column] ?? '')))
  const line = (cells: readonly Cell[]): string =>
    `${INDENT}${cells.map((cell, column) => pad(cell, widths[column]!, right[column]!)).join(GAP)}`.trimEnd()
  const title = (text: string) => ({ text, paint: paint.dim })
  return [line(heading.map(title)), ...rows.map(line)]
}

function textOf(cell: Cell): string {
  if (typeof cell === 'object') return cell.text
  return typeof cell === 'number' ? formatCount(cell) : cell
}

/** A number, or a number with its unit. */
function isQuantity(cell: Cell): boolean {
  return typeof cell === 'number' || /^(-|\d[\d,]*(\.\d+)?( ?[A-Za-z%]+)?)$/.test(textOf(cell))
}

function pad(cell: Cell, width: number, right: boolean): string {
  const text = textOf(cell)
  const space = ' '.repeat(Math.max(0, width - text.length))
  const shown = typeof cell === 'object' ? cell.paint(text) : text
  return right ? space + shown : shown + space
}

/** `1,234,567`; fractions keep three digits. */
export function formatCount(value: number): string {
  if (!Number.isInteger(value)) return String(Number(value.toFixed(3)))
  return String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',')
}

/** `12 B`, `1.5 kB`, `12.3 MB` (k = 1000). */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))} ${units[unit]}`
}

/** `4.21 ms`, `1.5 s`; `-` for nothing. */
export function formatMilliseconds(value: number | null): string {
  if (value === null) return '-'
  return value >= 1000 ? `${Number((value / 1000).toPrecision(3))} s` : `${Number(value.toPrecision(3))} ms`
}
