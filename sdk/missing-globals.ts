/**
 * Globals that plugins do not have, found before a plugin runs. The one idea: the bundler knows which identifiers are
 * free and replaces just those; where a replacement stands in the code, a missing global is used, unless it is only
 * asked for by `typeof`.
 */
import { tokenizer, tokTypes } from 'acorn'
import { SourcePositions } from '../execution-env/sandbox/index.ts'
import type { PluginProblem } from './plugin-error.ts'

const TIME = 'router.clock() tells calendar time, router.now() monotonic time'
const TIMERS = 'router.timers has every and after'
const LATER = 'handlers are synchronous, and what takes time comes as a callback'
const SYSTEM = 'a plugin has no system around it, only its router'
const MEMORY = 'a plugin shares no memory'

const LANGUAGE = 'plugins have the core of the language only'

/** Name -> what there is instead. */
export const MISSING_GLOBALS: Readonly<Record<string, string>> = {
  ...all(['Date', 'performance', 'Temporal'], TIME),
  ...all(['setTimeout', 'setInterval', 'setImmediate'], TIMERS),
  ...all(['clearTimeout', 'clearInterval', 'clearImmediate'], TIMERS),
  ...all(['Promise', 'queueMicrotask', 'AbortController', 'AsyncDisposableStack'], LATER),
  console: 'router.log has debug, info, warn and error',
  ...all(['fetch', 'XMLHttpRequest', 'WebSocket'], 'router.http is the way out'),
  ...all(['process', 'Buffer', 'global', 'window', 'self', 'navigator', '__dirname', '__filename'], SYSTEM),
  crypto: 'router.random() draws numbers, router.keys signs',
  ...all(['SharedArrayBuffer', 'Atomics', 'WebAssembly', 'Worker'], MEMORY),
  ...all(['BigInt', 'BigInt64Array', 'BigUint64Array'], 'numbers are exact up to 2 ** 53'),
  Intl: 'there are no languages and no time zones',
  ...all(['URL', 'URLSearchParams', 'TextEncoder', 'TextDecoder', 'structuredClone'], LANGUAGE),
  ...all(['atob', 'btoa', 'escape', 'unescape', 'Event', 'EventTarget', 'Proxy', 'Float16Array'], LANGUAGE),
  DisposableStack: LANGUAGE,
  ...all(['WeakRef', 'FinalizationRegistry'], 'a plugin cannot watch its memory'),
}

function all(names: readonly string[], advice: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, advice]))
}

const MARK = '$missing_'

/** Replacements for the bundler. */
export const MARKED_GLOBALS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(MISSING_GLOBALS).map((name) => [name, MARK + name]),
)

/** Uses of missing globals in code that was bundled with `MARKED_GLOBALS`, in the author's files. */
export function findMissingGlobals(code: string, sourceMap: string): PluginProblem[] {
  if (!code.includes(MARK)) return []
  const positions = new SourcePositions('plugin.js', sourceMap)
  const problems: PluginProblem[] = []
  let before: unknown
  for (const token of tokenizer(code, { ecmaVersion: 'latest', sourceType: 'module', locations: true })) {
    const name = token.type === tokTypes.name ? String((token as { value?: unknown }).value) : ''
    if (name.startsWith(MARK) && before !== tokTypes._typeof) {
      const { line, column } = token.loc!.start
      const global = name.slice(MARK.length)
      const message = `${global} cannot be used: ${MISSING_GLOBALS[global]}`
      problems.push({ ...positions.origin(line, column + 1), message })
    }
    before = token.type
  }
  return problems
}
