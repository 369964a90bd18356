/**
 * What can go wrong with a lab that comes to life, as failures of the command. The one idea: a policy that the engine
 * refuses, a plugin that cannot be loaded, a trust folder that is none and a socket that is taken are the user's to
 * mend, so they are told in words and never as a fault of this program.
 */
import { EngineError } from '../../engine/index.ts'
import { LinuxError } from '../../engine/ports/linux/index.ts'
import { LabFailure, LabPluginError } from '../../lab/index.ts'
import { CommandError } from '../command.ts'
import { tellingRefusals } from './refusals.ts'
import { asCommandError } from './router-options.ts'

/** Brings a lab to life, telling its failures. */
export async function tellingLabFailures<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await tellingRefusals(work)
  } catch (error) {
    if (
      error instanceof EngineError ||
      error instanceof LabPluginError ||
      error instanceof LabFailure ||
      error instanceof LinuxError
    )
      throw new CommandError(error.code, error.message)
    throw asCommandError(error)
  }
}
