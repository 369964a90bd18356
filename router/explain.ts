/**
 * Explaining a flow: which filter, which plugin, which decision and path, and why. The one idea: the engine's dry run
 * tells what its tables do; here its owner gets a name that an operator knows, and a flow a way to be written.
 */
import type { Explanation, FlowQuestion } from '../engine/index.ts'
import { ControlError } from './control/errors.ts'
import type { PluginReport } from './plugins/plugin-host.ts'

/** An explanation with the plugin whose decision it is, or would be. */
export interface FlowExplanation extends Explanation {
  readonly plugin?: Pick<PluginReport, 'id' | 'name' | 'version' | 'state'>
}

/** Names the plugin behind an owner. */
export function withPlugin(explanation: Explanation, plugins: readonly PluginReport[]): FlowExplanation {
  const found = plugins.find((each) => each.id === explanation.owner)
  if (found === undefined) return explanation
  const { id, name, version, state } = found
  return { ...explanation, plugin: { id, name, version, state } }
}

/** Lines for people: whose decision it is, then step by step, what happens to copies indented. */
export function explanationLines({ flow, decidedBy, owner, plugin, steps }: FlowExplanation): string[] {
  const who =
    plugin === undefined
      ? (owner ?? 'nobody')
      : `${plugin.id} (${plugin.name} ${plugin.version}, ${plugin.state})`
  const by = owner === null ? decidedBy : `${decidedBy} of ${who}`
  return [`${flow}`, `decided by ${by}`, ...stepLines(steps, '  ')]
}

function stepLines(steps: Explanation['steps'], indent: string): string[] {
  return steps.flatMap(({ stage, text, branches = [] }) => [
    `${indent}${stage.padEnd(12)} ${text}`,
    ...branches.flatMap((each, index) => [
      `${indent}  ${branches.length > 1 ? `copy ${index + 1}` : 'then'}`,
      ...stepLines(each, `${indent}    `),
    ]),
  ])
}

const ADDRESS = '(\\d+\\.\\d+\\.\\d+\\.\\d+)'
const END = `${ADDRESS}(?::(\\d{1,5}))?`
const FLOW = new RegExp(
  `^([a-z][a-z0-9-]*|\\d{1,3})[\\s:]+${END}\\s*(?:->|>|,|\\s)\\s*${END}(?:\\s+id\\s+(\\d{1,5}))?$`,
)

/** What a flow looks like when it is written. */
export const FLOW_FORM = 'tcp:10.0.1.2:4000,198.18.0.80:80'

/**
 * The flow of a text, as tables and explanations write it, or in a form that no shell takes apart.
 * @throws ControlError `invalid`
 */
export function parseFlow(text: string): FlowQuestion {
  const found = FLOW.exec(text.trim())
  if (found === null)
    throw new ControlError('invalid', `expected a flow such as ${FLOW_FORM}, got ${JSON.stringify(text)}`)
  const [, protocol = '', from = '', fromPort, to = '', toPort, id] = found
  const named = /^\d+$/.test(protocol) ? Number(protocol) : protocol.replace(/^protocol-/, '')
  const number = typeof named === 'string' && /^\d+$/.test(named) ? Number(named) : named
  return {
    protocol: number as FlowQuestion['protocol'],
    from,
    to,
    ...(fromPort === undefined && id === undefined ? {} : { fromPort: Number(fromPort ?? id) }),
    ...(toPort === undefined ? {} : { toPort: Number(toPort) }),
  }
}
