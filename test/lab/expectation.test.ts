import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { completeReport, isSuccess, judge, parseExpectation } from '../../lab/index.ts'
import { parseReportPath, ReportPathError } from '../../lab/report-path.ts'
import { measured, packets, router } from './sample-report.ts'

const judged = (path: string, is: string | number | boolean) =>
  judge(parseExpectation(path, is), completeReport(measured, []))

describe('parseReportPath', () => {
  it('reads names, indices and quoted names', () => {
    expect(parseReportPath('clients.c1[0].failed')).to.deep.equal(['clients', 'c1', 0, 'failed'])
    expect(parseReportPath('routers["a b"].packets')).to.deep.equal(['routers', 'a b', 'packets'])
    expect(parseReportPath('a.no-server')).to.deep.equal(['a', 'no-server'])
  })

  for (const text of [
    '',
    '.',
    '.a',
    'a.',
    'a..b',
    'a[',
    'a[x]',
    'a[-1]',
    '[0]',
    'a[0',
    'a b',
    'a["x]',
    'a[0]b',
  ])
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseReportPath(text)).to.throw(ReportPathError)
    })

  it('parses or refuses any text', () => {
    const text = fc.oneof(
      fc.string(),
      fc
        .array(fc.constantFrom('a', '.', '[', ']', '0', '"', '-'), { maxLength: 10 })
        .map((each) => each.join('')),
    )
    const isJudged = (each: string) => {
      try {
        return parseReportPath(each).length > 0
      } catch (error) {
        return error instanceof ReportPathError
      }
    }
    fc.assert(fc.property(text, isJudged), { numRuns: 500 })
  })
})

describe('judge', () => {
  it('tells path, condition and the value', () => {
    expect(judged('clients.c1[0].failed', '== 1')).to.deep.equal({
      path: 'clients.c1[0].failed',
      is: '== 1',
      actual: 1,
      met: true,
    })
  })

  it('tells why an expectation is not met', () => {
    expect(judged('clients.c1[0].failed', '== 0')).to.deep.include({
      met: false,
      why: 'expected == 0, got 1',
    })
  })

  it('reads every kind of value', () => {
    expect(judged('conservation', true)).to.include({ met: true })
    expect(judged('routers.r1.plugins[0].state', '== running')).to.include({ met: true })
    expect(judged('routers.r1.classes.eth0.web.delayMs.p99', '<= 2')).to.include({ met: true })
  })

  describe('when there is no such value', () => {
    it('is not met, whatever the condition, and says what there is', () => {
      for (const is of ['== 0', '!= 0', '< 1', '>= 0', 'between -1 and 1'])
        expect(judged('routers.r2.flows', is)).to.deep.include({
          met: false,
          actual: null,
          why: 'not in the report: routers has no r2; it has r1',
        })
    })

    it('counts a drop reason that did not occur as 0', () => {
      expect(judged('routers.r1.packets.dropped.ttl-expired', '== 0')).to.include({ met: true, actual: 0 })
      expect(judged('routers.r1.packets.dropped.policy', '== 0')).to.include({ met: false, actual: 3 })
    })

    it('counts a server that never answered as 0', () => {
      expect(judged('clients.c1[0].servers.s3', '== 0')).to.include({ met: true, actual: 0 })
    })

    it('counts nothing else as 0', () => {
      expect(judged('routers.r1.packets.droped.policy', '== 0')).to.include({ met: false })
      expect(judged('routers.r1.packets.dropped.policy.x', '== 0')).to.include({ met: false })
      expect(judged('clients.c1[3].failed', '== 0')).to.include({ met: false })
      expect(judged('clients.c1[0].latencyMs.p75', '== 0')).to.include({ met: false })
      expect(judged('routers.r1.classes.eth0.voice', '== 0')).to.include({ met: false })
      expect(judged('routers.r1.plugins[0].dropped', '== 0')).to.include({ met: false })
    })

    it('finds no inherited property', () => {
      expect(judged('clients.c1.length', '>= 0')).to.include({ met: false })
      expect(judged('clients.constructor', '!= 0')).to.include({ met: false })
      expect(judged('lab.length', '>= 0')).to.include({ met: false })
    })
  })
})

describe('completeReport', () => {
  it('judges the expectations and knows that packets are conserved', () => {
    const report = completeReport(measured, [parseExpectation('conservation', '== true')])
    expect(report.conservation).to.equal(true)
    expect(report.expectations.map((each) => each.met)).to.deep.equal([true])
    expect(isSuccess(report)).to.equal(true)
  })

  it('fails a run that lost a packet, even without expectations', () => {
    const lossy = { ...measured, routers: { r1: { ...router, packets: { ...packets, out: 89 } } } }
    const report = completeReport(lossy, [])
    expect(report.conservation).to.equal(false)
    expect(isSuccess(report)).to.equal(false)
  })

  it('fails a run with an expectation that is not met', () => {
    expect(isSuccess(completeReport(measured, [parseExpectation('clients.c1[0].failed', 0)]))).to.equal(false)
  })

  it('has the keys of the contract in their order', () => {
    expect(Object.keys(completeReport(measured, []))).to.deep.equal([
      'lab',
      'backend',
      'seed',
      'virtualSeconds',
      'clients',
      'routers',
      'conservation',
      'expectations',
      'wall',
    ])
  })
})
