/**
 * From positions in a bundle back to the author's sources. The one idea: a missing, broken or hostile source map
 * costs nothing but the translation: positions then stay those of the bundle.
 *
 * Source map revision 3 (ECMA-426), without indexed maps.
 */
import { SourceMap } from 'node:module'

/** Longest map that is read, and most sources that it may name. */
const MAP_LENGTH_MAX = 8 << 20
const SOURCES_MAX = 10_000
const FRAME = /([^\s()]+):(\d{1,9}):(\d{1,9})/g

/** A place in a text file; line and column count from 1. */
export interface SourcePosition {
  readonly file: string
  readonly line: number
  readonly column: number
}

/** `file:line:column`. */
export function formatPosition(position: SourcePosition): string {
  return `${position.file}:${position.line}:${position.column}`
}

interface MapPayload {
  readonly version: 3
  readonly sources: string[]
  readonly mappings: string
}

function isMapPayload(value: unknown): value is MapPayload {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const { version, sources, mappings, sections } = value as Record<string, unknown>
  return (
    version === 3 &&
    sections === undefined &&
    typeof mappings === 'string' &&
    Array.isArray(sources) &&
    sources.length <= SOURCES_MAX &&
    sources.every((each) => typeof each === 'string')
  )
}

function readMap(text: string | undefined): SourceMap | null {
  if (text === undefined || text.length > MAP_LENGTH_MAX) return null
  try {
    const payload: unknown = JSON.parse(text)
    if (!isMapPayload(payload)) return null
    const { sources, mappings } = payload
    return new SourceMap({
      file: '',
      version: 3,
      sources,
      mappings,
      names: [],
      sourcesContent: [],
      sourceRoot: '',
    })
  } catch {
    return null
  }
}

/** Positions of one bundle file. The map is read when it is first needed. */
export class SourcePositions {
  readonly #file: string
  readonly #text: string | undefined
  #map: SourceMap | null | undefined

  /** @param file name of the bundle's code in stacks; @param text its source map, attacker-controlled */
  constructor(file: string, text?: string) {
    this.#file = file
    this.#text = text
  }

  /** The source position of a bundle position; the bundle position itself where the map has none. */
  origin(line: number, column: number): SourcePosition {
    this.#map ??= this.#map === undefined ? readMap(this.#text) : null
    const bundle = { file: this.#file, line, column }
    try {
      // The mapping's own beginning: what follows it in the bundle may be indented otherwise than in the source.
      const found = this.#map?.findEntry(line - 1, column - 1)
      if (found === undefined || !('originalSource' in found) || typeof found.originalSource !== 'string')
        return bundle
      return { file: found.originalSource, line: found.originalLine + 1, column: found.originalColumn + 1 }
    } catch {
      return bundle
    }
  }

  /** A stack with the bundle's positions replaced, frame by frame. */
  mapStack(stack: string): string {
    return stack.replace(FRAME, (whole, file: string, line: string, column: string) =>
      file === this.#file ? formatPosition(this.origin(Number(line), Number(column))) : whole,
    )
  }
}
