/** How a bundle's module becomes the one expression that is vetted and compiled. */

/** Around the code, on its first line: strict, with the module's exports to fill. */
const OPENING = "(function (module, exports) { 'use strict';"
const CLOSING = '\n})'

/** How far the wrapping moves the columns of the first line. */
export const WRAP_COLUMNS = OPENING.length

/** The text that a virtual machine compiles: an expression that is a function of (module, exports). */
export function wrapModule(source: string): string {
  return OPENING + source + CLOSING
}
