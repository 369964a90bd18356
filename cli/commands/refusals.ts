/**
 * Refusals of other rooms as failures of a command. The one idea: what a person did or was given is told in words,
 * with its closed code; everything else is a fault of this program and keeps its stack.
 */
import { BundleError } from '../../execution-env/bundle/index.ts'
import { CertificateError } from '../../execution-env/certificates/index.ts'
import { formatPluginProblem, PluginError } from '../../sdk/tools.ts'
import { CommandError } from '../command.ts'

/**
 * @param file named before a refusal, which tells of something in it
 * @param others files whose refusals begin with their own names
 */
export async function tellingRefusals<Result>(
  work: () => Result | Promise<Result>,
  file?: string,
  others: readonly (string | undefined)[] = [],
): Promise<Result> {
  const about = (text: string): string => {
    const named = others.some((each) => each !== undefined && text.startsWith(each))
    return file === undefined || named ? text : `${file}: ${text}`
  }
  try {
    return await work()
  } catch (error) {
    if (error instanceof PluginError) throw new CommandError(error.code, error.message, error.problems)
    if (error instanceof BundleError || error instanceof CertificateError)
      throw new CommandError(error.code, about(error.message))
    throw error
  }
}

/** Lines of warnings for people. */
export function warningLines(warnings: PluginError['problems']): string[] {
  return warnings.map((each) => `warning: ${formatPluginProblem(each)}`)
}

/** Text of a stranger's without what a terminal could take for a command. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, '?')
}
