/**
 * The test functions of the pinned runtime, with types of their own: an author needs no further package, neither a
 * test framework nor types of Node. `node:test` and `node:assert` are the same functions.
 */
import assertOfNode from 'node:assert/strict'
import * as runner from 'node:test'

type Body = () => unknown

/** A test, or a group of tests. */
export interface Describe {
  (name: string, body: Body): unknown
  skip(name: string, body?: Body): unknown
  only(name: string, body?: Body): unknown
  todo(name: string, body?: Body): unknown
}

export type Hook = (body: Body) => void

type ErrorForm = RegExp | object | ((error: unknown) => boolean)

/** Strict assertions. */
export interface Assert {
  ok(value: unknown, message?: string): void
  equal(actual: unknown, expected: unknown, message?: string): void
  notEqual(actual: unknown, expected: unknown, message?: string): void
  deepEqual(actual: unknown, expected: unknown, message?: string): void
  partialDeepStrictEqual(actual: unknown, expected: unknown, message?: string): void
  match(actual: string, expected: RegExp, message?: string): void
  throws(run: () => unknown, expected?: ErrorForm, message?: string): void
  rejects(promise: PromiseLike<unknown>, expected?: ErrorForm, message?: string): PromiseLike<void>
}

export const assert: Assert = assertOfNode as unknown as Assert
export const describe: Describe = runner.describe as unknown as Describe
export const it: Describe = runner.it as unknown as Describe
export const test: Describe = runner.test as unknown as Describe
export const before: Hook = runner.before as Hook
export const after: Hook = runner.after as Hook
export const beforeEach: Hook = runner.beforeEach as Hook
export const afterEach: Hook = runner.afterEach as Hook
