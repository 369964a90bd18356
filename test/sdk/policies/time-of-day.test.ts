import { expect } from 'chai'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { DAYS, type Day, TimeOfDay } from '../../../sdk/policies/index.ts'

const at = (text: string): number => Date.parse(text)
const HOUR = 3_600_000
const WEEK = 168 * HOUR

describe('TimeOfDay (R-SLR-13)', () => {
  const office = new TimeOfDay([
    { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00', use: 'office' },
  ])

  it('tells what is used, the beginning included and the end excluded', () => {
    expect(office.at(at('2026-01-05T08:00:00Z'))).to.equal('office')
    expect(office.at(at('2026-01-05T17:59:59.999Z'))).to.equal('office')
    expect(office.at(at('2026-01-05T18:00:00Z'))).to.equal(undefined)
    expect(office.at(at('2026-01-05T07:59:59.999Z'))).to.equal(undefined)
  })

  it('knows the days, before 1970 as well', () => {
    expect(office.at(at('2026-01-09T12:00:00Z')), 'a Friday').to.equal('office')
    expect(office.at(at('2026-01-10T12:00:00Z')), 'a Saturday').to.equal(undefined)
    expect(office.at(at('1969-12-31T12:00:00Z')), 'a Wednesday').to.equal('office')
  })

  it('goes beyond midnight, into the next day and the next week', () => {
    const night = new TimeOfDay([{ days: ['sun'], from: '22:00', to: '06:00', use: true }])
    expect(night.at(at('2026-01-11T23:00:00Z'))).to.equal(true)
    expect(night.at(at('2026-01-12T05:59:00Z'))).to.equal(true)
    expect(night.at(at('2026-01-12T06:00:00Z'))).to.equal(undefined)
    expect(night.at(at('2026-01-11T05:00:00Z')), 'belongs to Saturday').to.equal(undefined)
  })

  it('has a distance from UTC', () => {
    const [east, west] = ['+05:30', '-08:00'].map(
      (utcOffset) => new TimeOfDay([{ days: ['mon'], from: '00:00', to: '01:00', use: 1 }], { utcOffset }),
    )
    expect(east!.at(at('2026-01-04T18:30:00Z'))).to.equal(1)
    expect(west!.at(at('2026-01-05T08:59:00Z'))).to.equal(1)
    expect(west!.at(at('2026-01-05T00:30:00Z'))).to.equal(undefined)
  })

  it('lets the first of several windows count', () => {
    const both = new TimeOfDay([{ from: '12:00', to: '13:00', use: 'lunch' }, { use: 'else' }])
    expect(both.at(at('2026-01-05T12:30:00Z'))).to.equal('lunch')
    expect(both.at(at('2026-01-05T13:30:00Z'))).to.equal('else')
  })

  it('tells when it changes', () => {
    expect(office.changesAt(at('2026-01-05T07:00:00Z'))).to.equal(at('2026-01-05T08:00:00Z'))
    expect(office.changesAt(at('2026-01-05T08:00:00Z'))).to.equal(at('2026-01-05T18:00:00Z'))
    expect(office.changesAt(at('2026-01-09T18:00:00Z'))).to.equal(at('2026-01-12T08:00:00Z'))
    expect(new TimeOfDay([]).changesAt(0)).to.equal(Number.POSITIVE_INFINITY)
  })

  const time = fc.tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  const text = ([hours, minutes]: readonly [number, number]): string =>
    `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
  const window = fc
    .record({ days: fc.subarray<Day>([...DAYS], { minLength: 1 }), from: time.map(text), to: time.map(text) })
    .filter(({ from, to }) => from !== to)

  it('agrees with the calendar of the language, and changes only when it says', () => {
    fc.assert(
      fc.property(window, fc.integer({ min: -WEEK, max: 60 * 365 * 24 * HOUR }), (each, clock) => {
        const schedule = new TimeOfDay([{ ...each, use: true }])
        const date = new Date(clock)
        const minute = date.toISOString().slice(11, 16)
        const day = (shift: number): Day => DAYS[(date.getUTCDay() + 6 + shift) % 7]!
        const overnight = each.to < each.from
        const today = each.days.includes(day(0)) && minute >= each.from && (overnight || minute < each.to)
        const yesterday = overnight && each.days.includes(day(6)) && minute < each.to
        expect(schedule.at(clock)).to.equal(today || yesterday ? true : undefined)
        const next = schedule.changesAt(clock)
        expect(next).to.be.within(clock + 1, clock + WEEK)
        expect(schedule.at(next - 1)).to.equal(schedule.at(clock))
      }),
      { numRuns: 500 },
    )
  })

  it('refuses what is no time, day or distance', () => {
    const build =
      (over: object, utcOffset = '+00:00') =>
      () =>
        new TimeOfDay([{ use: 1, ...over } as { use: number }], { utcOffset })
    expect(build({ from: '8:00' })).to.throw('expected a time such as 08:30, got 8:00')
    expect(build({ to: '24:01' })).to.throw('expected a time')
    expect(build({ to: '12:60' })).to.throw('expected a time')
    expect(build({ from: '12:00', to: '12:00' })).to.throw('a beginning before its end')
    expect(build({ from: '24:00', to: '12:00' })).to.throw('a beginning before its end')
    expect(build({ days: ['Monday'] })).to.throw('expected one of mon')
    expect(build({}, '2')).to.throw('a distance from UTC')
  })
})
