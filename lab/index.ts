/** The door of the lab: lab files, backends, reports, drawings. */
export {
  BACKEND_NAMES,
  type Backend,
  type BackendName,
  type BackendRegistry,
  BackendUnavailableError,
  type Capabilities,
  checkBackend,
  checkEnds,
  type DownResult,
  type EnterableNode,
  type Progress,
  type Refusal,
  type RunOptions,
} from './backend.ts'
export { backends } from './backends.ts'
export { examine } from './doctor/examine.ts'
export { type Examination, type Finding, USE_TITLES, USES, type Use } from './doctor/finding.ts'
export { completeReport, type Expectation, isSuccess, judge, parseExpectation } from './expectation.ts'
export { FEATURES, type Feature, type FeatureUse, featuresOf } from './features.ts'
export * from './file/index.ts'
export { drawGraph, GRAPH_FORMATS, type GraphFormat } from './graph.ts'
export { LabAuthority } from './lab-authority.ts'
export { LabFailure } from './lab-failure.ts'
export { LabPluginError } from './lab-plugin-error.ts'
export { defaultRecordFile, LabRecordError, type Recorded, readLabRecord } from './record/index.ts'
export * from './report.ts'
export { keepLabUp, type RunRequest, runLab } from './run.ts'
export { summarize } from './summary.ts'
export { formatBytes, formatCount, formatMilliseconds, formatTable, type Paint, PLAIN } from './table.ts'
