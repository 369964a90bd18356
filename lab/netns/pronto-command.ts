/** The `pronto` command itself, for processes of a lab that are routers or host agents. */
import { entryPath } from '../../execution-env/sandbox/index.ts'

/** Words that start `pronto WORDS` with this runtime and its flags. */
export function prontoCommand(...words: string[]): string[] {
  const flags = process.execArgv.filter((flag) => flag.startsWith('--max-inlined'))
  return [process.execPath, ...flags, entryPath(import.meta.url, '../../cli/main'), ...words]
}
