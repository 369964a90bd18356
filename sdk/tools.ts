/** The door of the author's tools: build, test, sign, verify, inspect, scaffold. For programs; plugins import index.ts. */
export { type BuiltPlugin, buildPlugin } from './build.ts'
export { checkTypes, type TypeCheck } from './check-types.ts'
export { findTests } from './find-tests.ts'
export { type ClaimedSignature, type Inspection, inspectPlugin } from './inspect.ts'
export { formatPluginProblem, PluginError, type PluginErrorCode, type PluginProblem } from './plugin-error.ts'
export { readPluginFolder } from './plugin-folder.ts'
export {
  debugTests,
  runTests,
  type TestPlace,
  type TestRequest,
  type TestResult,
  type TestRun,
} from './run-tests.ts'
export { scaffoldPlugin } from './scaffold.ts'
export { type SignerFiles, signPlugin } from './sign.ts'
export { verifyPlugin } from './verify.ts'
export { watchFolder } from './watch-folder.ts'
