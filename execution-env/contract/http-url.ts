/**
 * Addresses of the web as plugins may give them. The one idea: one parser (WHATWG URL) decides for the check and for
 * the request, and what two readers could read as two hosts is no address at all.
 */

/** Longest address, in characters. */
export const URL_LENGTH_MAX = 2_048

/** A parsed address: of a `URL` what is asked for here, since authors may have no types for the web. */
export interface HttpUrl {
  readonly href: string
  readonly origin: string
  readonly protocol: string
  readonly hostname: string
  readonly port: string
  readonly pathname: string
  readonly search: string
}

/** The parser would pass over these, or take them for something else. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const AMBIGUOUS = /[\s\\\u0000-\u001f\u007f]/

/**
 * An `http:` or `https:` address without a user; its `origin` is in normal form (lower case, IDN in ASCII, the default
 * port left out). Undefined for anything else. @param text attacker-controlled
 */
export function parseHttpUrl(text: string): HttpUrl | undefined {
  if (text.length > URL_LENGTH_MAX || AMBIGUOUS.test(text) || !/^https?:\/\//i.test(text)) return undefined
  // A user, also an empty one, makes what stands before the host look like it.
  if (/^[^/?#]*\/\/[^/?#]*@/.test(text)) return undefined
  return URL.canParse(text) ? new URL(text) : undefined
}

/** Whether an address lies in one of the granted origins, each in normal form or `*`. */
export function isInOrigins(url: Pick<HttpUrl, 'origin'>, origins: readonly string[]): boolean {
  return origins.includes('*') || origins.includes(url.origin)
}
