import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { describe, it } from 'mocha'
import { type AuditEvent, AuditLog } from '../../../router/state/audit-log.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const EVENT: AuditEvent = {
  actor: { via: 'remote', name: 'alice', serial: '0a', address: '10.0.0.9' },
  what: 'load',
  outcome: 'done',
  id: 'spread',
}
const clock = () => 1_767_225_600_000

function folder(): string {
  return temporaryFolder('pronto-audit-')
}

function linesOf(file: string): string[] {
  return readFileSync(file, 'utf8').split('\n').slice(0, -1)
}

describe('AuditLog', () => {
  it('tells who did what, and when', () => {
    const log = new AuditLog(folder(), { clock })
    log.write(EVENT)
    log.write({ ...EVENT, outcome: 'refused', code: 'revoked', suppressed: 3 })
    expect(linesOf(log.file).map((line) => JSON.parse(line))).to.deep.equal([
      { at: '2026-01-01T00:00:00.000Z', ...EVENT },
      { at: '2026-01-01T00:00:00.000Z', ...EVENT, outcome: 'refused', code: 'revoked', suppressed: 3 },
    ])
    expect(statSync(log.file).mode & 0o777).to.equal(0o600)
  })

  it('adds to what is there', () => {
    const place = folder()
    new AuditLog(place, { clock }).write(EVENT)
    new AuditLog(place, { clock }).write(EVENT)
    expect(linesOf(join(place, 'audit.log'))).to.have.length(2)
  })

  describe('when an event holds more than it may', () => {
    it('writes known fields only, each shortened, on one line', () => {
      const log = new AuditLog(folder(), { clock })
      const hostile = { ...EVENT, detail: `a\n{"what":"forged"}${'x'.repeat(999)}`, config: 'secret' }
      log.write(hostile as AuditEvent)
      const [line, ...others] = linesOf(log.file)
      expect(others).to.deep.equal([])
      expect(line).to.not.contain('secret')
      expect(JSON.parse(line!).detail).to.have.length(200)
    })
  })

  describe('when a file is full', () => {
    it('puts it aside and keeps so many', () => {
      const place = folder()
      const log = new AuditLog(place, { clock, fileBytes: 400, files: 2 })
      for (let i = 0; i < 20; i++) log.write({ ...EVENT, id: `p${i}` })
      expect(readdirSync(place).sort()).to.deep.equal(['audit.log', 'audit.log.1', 'audit.log.2'])
      for (const name of readdirSync(place)) expect(statSync(join(place, name)).size).to.be.at.most(400)
      const ids = ['audit.log.2', 'audit.log.1', 'audit.log'].flatMap((name) =>
        linesOf(join(place, name)).map((line) => JSON.parse(line).id),
      )
      expect(ids.at(-1)).to.equal('p19')
      expect(ids).to.deep.equal(ids.map((_, index) => `p${20 - ids.length + index}`))
    })

    it('keeps none where none are wanted', () => {
      const place = folder()
      const log = new AuditLog(place, { clock, fileBytes: 400, files: 0 })
      for (let i = 0; i < 20; i++) log.write(EVENT)
      expect(readdirSync(place)).to.deep.equal(['audit.log'])
    })
  })

  describe('when it cannot be written', () => {
    it('counts what was lost and goes on', () => {
      const place = folder()
      const log = new AuditLog(place, { clock })
      rmSync(place, { recursive: true })
      log.write(EVENT)
      expect(log.lost).to.equal(1)
      mkdirSync(place)
      log.write(EVENT)
      expect(log.lost).to.equal(1)
    })
  })
})
