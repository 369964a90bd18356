/**
 * Where the system's tools are. The one idea: tools that confine a process come from the system's own folders, never
 * from whatever PATH says.
 */
import { accessSync, constants } from 'node:fs'

const FOLDERS = ['/usr/bin', '/bin', '/usr/sbin', '/sbin'] as const
const found = new Map<string, string | undefined>()

/** The path of a tool, or undefined where the system lacks it. */
export function findTool(name: string): string | undefined {
  if (!found.has(name)) found.set(name, FOLDERS.map((folder) => `${folder}/${name}`).find(isExecutable))
  return found.get(name)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
