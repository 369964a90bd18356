import { expect } from 'chai'
import { describe, it } from 'mocha'
import { drawGraph } from '../../lab/index.ts'
import { changed, labOf, SAMPLE } from './file/sample.ts'

describe('drawGraph', () => {
  it('draws Mermaid', () => {
    expect(drawGraph(labOf(SAMPLE), 'mermaid')).to.equal(`graph LR
  n0["c1<br/>eth0 10.0.1.2/24<br/>asks http 198.18.0.80:80"]
  n1{{"r1<br/>eth0 10.0.1.1/24<br/>eth1 10.0.2.1/24<br/>static policy"}}
  n2["s1<br/>eth0 10.0.2.2/24<br/>virtual 198.18.0.0/15<br/>serves http 80"]
  n0 ---|"eth0 - eth0<br/>100 Mbps<br/>2 ms"| n1
  n1 ---|"eth1 - eth0"| n2
`)
  })

  it('draws DOT', () => {
    expect(drawGraph(labOf(SAMPLE), 'dot')).to.equal(`graph "sample" {
  rankdir=LR
  node [fontname="sans-serif"]
  n0 [shape=box, label="c1\\neth0 10.0.1.2/24\\nasks http 198.18.0.80:80"]
  n1 [shape=hexagon, label="r1\\neth0 10.0.1.1/24\\neth1 10.0.2.1/24\\nstatic policy"]
  n2 [shape=box, label="s1\\neth0 10.0.2.2/24\\nvirtual 198.18.0.0/15\\nserves http 80"]
  n0 -- n1 [label="eth0 - eth0\\n100 Mbps\\n2 ms"]
  n1 -- n2 [label="eth1 - eth0"]
}
`)
  })

  it('lets no name break out of its label', () => {
    const text = changed('    policy:', `    plugins: [ { plugin: 'a/"<b>' } ]\n    policy:`)
    expect(drawGraph(labOf(text), 'mermaid')).to.contain('plugin __b_')
  })
})
