/**
 * The harness (`pronto-router/sdk/testing`): a whole router in a test, in virtual time. The one idea: nothing is
 * imitated; the plugin runs as trusted code in this process, so that a debugger steps through it. For tests, never
 * for plugins.
 */
export {
  type Assert,
  after,
  afterEach,
  assert,
  before,
  beforeEach,
  type Describe,
  describe,
  type Hook,
  it,
  test,
} from './node-test.ts'
export { testRouter } from './open-router.ts'
export { PluginFault, TestRefusal } from './refusals.ts'
export type {
  Fate,
  LeftPacket,
  PluginUnderTest,
  TcpFlag,
  TestFlow,
  TestLogLine,
  TestMessage,
  TestPacket,
  TestReport,
  TestRouter,
  TestRouterOptions,
  TestRow,
  TestUpgradeOptions,
  TestWeb,
} from './test-router.ts'
