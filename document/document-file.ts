/** Files of documents: regular, within bounds, UTF-8. */
import { readFileSync, statSync } from 'node:fs'
import { MAX_FILE_BYTES } from './limits.ts'
import { DocumentError } from './problem.ts'

/**
 * The text of a file.
 * @param what the kind of document with its article, for messages: `a lab file`
 * @throws DocumentError `unreadable` or `limit`
 */
export function readDocumentFile(file: string, what: string): string {
  try {
    const status = statSync(file)
    if (!status.isFile()) throw unreadable(file, `expected ${what}, but this is not a regular file`)
    if (status.size > MAX_FILE_BYTES)
      throw new DocumentError([
        {
          code: 'limit',
          file,
          line: 0,
          column: 0,
          path: '',
          message: `too large: expected at most ${MAX_FILE_BYTES} bytes`,
        },
      ])
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (error) {
    if (error instanceof DocumentError) throw error
    if (error instanceof TypeError) throw unreadable(file, 'expected UTF-8 text')
    const code = (error as NodeJS.ErrnoException).code
    if (code === undefined) throw error
    throw unreadable(
      file,
      code === 'ENOENT' ? `expected ${what}, but there is none` : `cannot be read (${code})`,
    )
  }
}

function unreadable(file: string, message: string): DocumentError {
  return new DocumentError([{ code: 'unreadable', file, line: 0, column: 0, path: '', message }])
}
