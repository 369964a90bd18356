/** The bounds of a document's text, before anything in it is believed. */

export const MAX_FILE_BYTES = 4 << 20
/** Values in the document with every alias written out. */
export const MAX_VALUES = 500_000
/** Nesting of mappings and lists. */
export const MAX_DEPTH = 40
