/** What can be watched: each look answers with what is new since the last one. */
import type { Query } from '../../engine/index.ts'
import { MAX_LOG_LINES } from '../control/limits.ts'
import type { PluginLogLine } from '../plugins/plugin-host.ts'
import type { LogLine, PortCapture, Router } from '../router.ts'
import type { Look } from './watches.ts'

/** The rows of a table, each time. */
export function lookAtQuery(router: Router, query: Query): Look {
  return async () => ({ answer: await router.query(query) })
}

/** The list of plugins whenever it has changed. */
export function lookAtPlugins(router: Router): Look {
  let last = ''
  return async () => {
    const plugins = router.list()
    const text = JSON.stringify(plugins)
    if (text === last) return undefined
    last = text
    return { plugins }
  }
}

/** The part of a capture file that has come since the last look, in base64. */
export function lookAtCapture(capture: PortCapture): Look {
  let told = 0
  return async () => {
    const { bytes, omitted } = await capture.take()
    if (bytes.length === 0 && omitted === told) return undefined
    told = omitted
    return { bytes: Buffer.from(bytes).toString('base64'), omitted }
  }
}

/** New lines of the log of one plugin, or of all. @param id unknown ones have nothing to say */
export function lookAtLogs(router: Router, id: string | undefined): Look {
  const seen = new Map<string, PluginLogLine>()
  return async () => {
    const ids = router.list().flatMap((each) => (id === undefined || each.id === id ? [each.id] : []))
    const lines = ids.flatMap((each) => newLines(router, each, seen))
    if (lines.length === 0) return undefined
    lines.sort((a, b) => a.atNs - b.atNs)
    return { lines: lines.slice(-MAX_LOG_LINES) }
  }
}

/** Lines after the one that was the last when we looked before: a line is the same object each time. */
function newLines(router: Router, id: string, seen: Map<string, PluginLogLine>): LogLine[] {
  const lines = logOf(router, id)
  const last = seen.get(id)
  const from = last === undefined ? 0 : lines.lastIndexOf(last) + 1
  const latest = lines.at(-1)
  if (latest !== undefined) seen.set(id, latest)
  return lines.slice(from).map((line) => ({ ...line, id }))
}

function logOf(router: Router, id: string): readonly PluginLogLine[] {
  try {
    return router.logOf(id)
  } catch {
    // It could not be installed, or has gone meanwhile.
    return []
  }
}
