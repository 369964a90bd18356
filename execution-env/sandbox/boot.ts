/**
 * The boot of an isolate: turns a bare context into a place for a plugin. The one idea: it is one text without
 * parameters of its own, made of functions that are checked and tested as TypeScript, and runs to its end before any
 * code of the plugin; it leaves nothing behind but the kernel, to which only the host holds a reference.
 *
 * Guarantees after it: no clock, no ambient randomness, no code from text, no promises, no shared or resizable
 * memory, no BigInt, no host object; every intrinsic and the global object frozen.
 */
import { createRandom, disableConstructors, removeGlobals, replaceAmbient } from './boot/ambient.ts'
import { allowShadowing, freezeIntrinsics } from './boot/freeze.ts'
import { createGuardTools, guardLists, guardPatterns, guardTexts, guardViews } from './boot/guards.ts'
import { createKernel, type Kernel, type KernelLimits } from './kernel.ts'
import { regexpCost } from './regexp-cost.ts'

/** What an isolate is told when it boots; crosses as JSON. */
export interface BootSettings {
  readonly limits: KernelLimits
  readonly seed: readonly number[]
  /** Words of the input and output areas in the shared memory. */
  readonly inputWords: number
  readonly outputWords: number
}

/**
 * The shared memory begins with two doubles (now, clock) and four words (unused, place of the batch entry, number of
 * records, unused), which is how a batch begins in its frame; the input area and the output area follow.
 */
export const BOOT_INPUT_AT = 32

function boot(
  shared: SharedArrayBuffer,
  ask: (name: string, argument: string) => string,
  text: string,
): Kernel {
  const world = globalThis as unknown as Record<PropertyKey, unknown>
  const settings = JSON.parse(text) as BootSettings
  const { inputWords, outputWords } = settings
  const times = new Float64Array(shared, 0, 2)
  const order = new Int32Array(shared, 20, 2)
  const input = new Int32Array(shared, 32, inputWords)
  const output = new Int32Array(shared, 32 + inputWords * 4, outputWords)
  const random = createRandom(settings.seed)
  disableConstructors(world)
  removeGlobals(world)
  replaceAmbient(world, random)
  const tools = createGuardTools()
  guardTexts(tools)
  guardPatterns(world, tools, regexpCost)
  guardViews()
  guardLists(tools)
  allowShadowing()
  freezeIntrinsics(world)
  Object.freeze(world)
  return createKernel({ limits: settings.limits, times, order, input, output, random, ask })
}

const PARTS = [
  createRandom,
  disableConstructors,
  removeGlobals,
  replaceAmbient,
  createGuardTools,
  guardTexts,
  guardPatterns,
  guardViews,
  guardLists,
  allowShadowing,
  freezeIntrinsics,
  regexpCost,
  createKernel,
  boot,
]

/** The body of a function of ($0 shared memory, $1 ask, $2 settings as JSON) that returns the kernel. */
export const BOOT_SOURCE = `'use strict';\n${PARTS.join('\n')}\nreturn boot($0, $1, $2)`

/** The boot's name in stacks. */
export const BOOT_FILE = 'pronto:boot'
