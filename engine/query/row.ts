/** A row of an answer: plain cells by the names of their columns, so that it crosses threads and sockets unchanged. */
export type Cell = string | number | boolean | null
export type Row = Readonly<Record<string, Cell>>
