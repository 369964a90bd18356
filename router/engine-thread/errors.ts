/** Errors between threads: the control protocol's own, as data and back. What else is thrown is this router's fault. */
import { ControlError, controlErrorOf } from '../control/errors.ts'
import type { SentError } from './messages.ts'

/** @param onFault is told of what is nobody's refusal */
export function sendError(error: unknown, onFault: (error: unknown) => void): SentError {
  const { code, message, place, causeCode, problems } = controlErrorOf(error)
  if (code === 'internal') onFault(error)
  return { code, message, place, cause: causeCode, problems }
}

export function receiveError({ code, message, place, cause, problems }: SentError): ControlError {
  return new ControlError(code, message, { place, problems, ...(cause === undefined ? {} : { cause }) })
}
