import { describe } from 'mocha'
import { simulate } from '../support/labs.ts'
import { requireNetns, runReal, withOwnRuntime } from '../support/netns.ts'
import { describeLabBackend } from './lab.ts'

describe('conformance of lab backends', () => {
  withOwnRuntime()
  describeLabBackend('sim', simulate, async () => {})
  describeLabBackend('netns', runReal, requireNetns)
})
