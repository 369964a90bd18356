/** The door of records: what operators asked of a lab that was up, written and read. */
export type { Command } from './command.ts'
export { defaultRecordFile } from './default-file.ts'
export { LabRecordError, type LabRecordErrorCode } from './lab-record-error.ts'
export { type Recorded, type RecordedCommand, readLabRecord } from './read-record.ts'
export { type LabOrigin, originOf } from './record-lines.ts'
export { RecordWriter } from './record-writer.ts'
