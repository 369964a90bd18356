/**
 * A lab as a drawing: Mermaid (for Markdown) or DOT (for Graphviz). The one idea: a pure function of the lab; same
 * lab, same text. Node ids are numbered, so that no node name can be a word of the drawing's language.
 */
import type { Interface, Lab, LabNode, Link } from './file/index.ts'

export const GRAPH_FORMATS = ['mermaid', 'dot'] as const
export type GraphFormat = (typeof GRAPH_FORMATS)[number]

/** The drawing's text, ending with a newline. */
export function drawGraph(lab: Lab, format: GraphFormat): string {
  return format === 'mermaid' ? drawMermaid(lab) : drawDot(lab)
}

function drawMermaid(lab: Lab): string {
  const ids = new Map(lab.nodes.map((node, index) => [node.name, `n${index}`]))
  const lines = ['graph LR']
  for (const node of lab.nodes) {
    const text = `"${nodeLines(node).join('<br/>')}"`
    lines.push(`  ${ids.get(node.name)}${node.kind === 'router' ? `{{${text}}}` : `[${text}]`}`)
  }
  for (const link of lab.links) {
    const [a, b] = link.endpoints.map((end) => ids.get(end.node))
    lines.push(`  ${a} ---|"${linkLines(link).join('<br/>')}"| ${b}`)
  }
  return `${lines.join('\n')}\n`
}

function drawDot(lab: Lab): string {
  const ids = new Map(lab.nodes.map((node, index) => [node.name, `n${index}`]))
  const lines = [`graph "${lab.name}" {`, '  rankdir=LR', '  node [fontname="sans-serif"]']
  for (const node of lab.nodes) {
    const shape = node.kind === 'router' ? 'hexagon' : 'box'
    lines.push(`  ${ids.get(node.name)} [shape=${shape}, label="${nodeLines(node).join('\\n')}"]`)
  }
  for (const link of lab.links) {
    const [a, b] = link.endpoints.map((end) => ids.get(end.node))
    lines.push(`  ${a} -- ${b} [label="${linkLines(link).join('\\n')}"]`)
  }
  return `${lines.join('\n')}\n}\n`
}

function nodeLines(node: LabNode): string[] {
  const lines = [node.name, ...node.interfaces.map(interfaceLine)]
  if (node.kind === 'router') {
    if (node.policy.length > 0) lines.push('static policy')
    for (const plugin of node.plugins)
      lines.push(`plugin ${plugin.id ?? plugin.source.path.split('/').at(-1)}`)
    return lines.map(plain)
  }
  for (const prefix of node.virtualHosts) lines.push(`virtual ${prefix}`)
  for (const { protocol, port } of node.services) lines.push(`serves ${protocol} ${port}`)
  for (const { protocol, address, port } of node.clients)
    lines.push(`asks ${protocol} ${address}${port === 0 ? '' : `:${port}`}`)
  return lines.map(plain)
}

function interfaceLine({ name, addresses }: Interface): string {
  return `${name} ${addresses.map((each) => `${each.address}/${each.prefixLength}`).join(' ')}`
}

function linkLines(link: Link): string[] {
  const [a, b] = link.endpoints
  const lines = [`${a.interface} - ${b.interface}`]
  if (link.rateBps !== undefined) lines.push(formatRate(link.rateBps))
  if (link.delayNs > 0) lines.push(`${link.delayNs / 1e6} ms`)
  if (link.loss > 0) lines.push(`loss ${Number((link.loss * 100).toPrecision(6))}%`)
  return lines
}

/** `100 Mbps` */
export function formatRate(rateBps: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1e9, 'Gbps'],
    [1e6, 'Mbps'],
    [1e3, 'kbps'],
  ]
  const [size, name] = units.find(([each]) => rateBps >= each) ?? [1, 'bps']
  return `${Number((rateBps / size).toPrecision(6))} ${name}`
}

/** Text without what means something inside a quoted label. */
function plain(text: string): string {
  return text.replaceAll(/["\\<>&\n\r]/g, '_')
}
