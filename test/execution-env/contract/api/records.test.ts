import { expect } from 'chai'
import { describe, it } from 'mocha'
import {
  FLOW_ENDS,
  QUESTION,
  QUESTION_FRAGMENT,
  QUESTION_MULTICAST,
  QUESTION_SYN,
  QUESTION_WORDS,
} from '../../../../engine/index.ts'
import {
  FLOW_END_REASONS,
  FLOW_FRAGMENT,
  FLOW_MULTICAST,
  FLOW_RECORD,
  FLOW_SYN,
  FLOW_WORDS,
} from '../../../../execution-env/contract/api/index.ts'

describe('records of the plugin API', () => {
  it('lie like the engine’s questions, whose filter becomes the claim', () => {
    const { filter, ...question } = QUESTION
    const { claim, ...record } = FLOW_RECORD
    expect(claim).to.equal(filter)
    expect(record).to.deep.equal(question)
    expect(FLOW_WORDS).to.equal(QUESTION_WORDS)
    expect([FLOW_SYN, FLOW_MULTICAST, FLOW_FRAGMENT]).to.deep.equal([
      QUESTION_SYN,
      QUESTION_MULTICAST,
      QUESTION_FRAGMENT,
    ])
    expect(FLOW_END_REASONS).to.deep.equal(FLOW_ENDS)
  })
})
