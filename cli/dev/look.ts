/**
 * One look at a plugin's folder: does it build, are its types right, do its tests pass. The one idea: everything that
 * is wrong is found together, and only what is right everywhere goes on to a router.
 */
import {
  type BuiltPlugin,
  buildPlugin,
  checkTypes,
  findTests,
  PluginError,
  type PluginProblem,
  runTests,
  type TestRun,
  type TypeCheck,
} from '../../sdk/tools.ts'

export interface Look {
  /** Undefined where it could not be built. */
  readonly built: BuiltPlugin | undefined
  /** Why it was not built. */
  readonly problems: readonly PluginProblem[]
  /** Undefined where there is no compiler. */
  readonly types: TypeCheck
  /** Undefined where there are no tests, or nothing to test. */
  readonly tests: TestRun | undefined
}

/** Whether nothing is wrong. */
export function isRight({ built, types, tests }: Look): boolean {
  return built !== undefined && (types?.length ?? 0) === 0 && (tests?.failed ?? 0) === 0
}

/** Looks at a folder. @param onOutput gets what tests print @throws the signal's reason */
export async function lookAt(
  folder: string,
  signal: AbortSignal,
  onOutput: (text: string) => void,
): Promise<Look> {
  try {
    const [types, { built, problems, tests }] = await Promise.all([
      checkTypes(folder, signal),
      buildAndTest(folder, signal, onOutput),
    ])
    return { built, problems, types, tests }
  } finally {
    signal.throwIfAborted()
  }
}

async function buildAndTest(
  folder: string,
  signal: AbortSignal,
  onOutput: (text: string) => void,
): Promise<Omit<Look, 'types'>> {
  let built: BuiltPlugin
  try {
    built = await buildPlugin(folder)
  } catch (error) {
    if (!(error instanceof PluginError)) throw error
    return { built: undefined, problems: error.problems, tests: undefined }
  }
  const files = findTests(folder)
  const tests = files.length === 0 ? undefined : await runTests({ folder, files, signal, onOutput })
  return { built, problems: [], tests }
}
