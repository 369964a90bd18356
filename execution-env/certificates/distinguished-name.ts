/**
 * Distinguished names: whose certificate it is. The one idea: names are compared by their bytes; the text is for
 * people only, with everything that a terminal could take for a command replaced.
 */
import { childrenOf, contentOf, type Element, Fields, malformed, TAG, tagOf } from './der.ts'
import { objectIdentifier, readObjectIdentifier, sequence, setOf, text } from './der-values.ts'
import { OID } from './object-identifiers.ts'

const SHORT: Readonly<Record<string, string>> = {
  [OID.commonName]: 'CN',
  '2.5.4.6': 'C',
  '2.5.4.7': 'L',
  '2.5.4.8': 'ST',
  '2.5.4.10': 'O',
  '2.5.4.11': 'OU',
}

const MAX_PARTS = 16
const LONGEST_SHOWN = 64

/** A name that consists of a common name alone. */
export function writeName(commonName: string): Element {
  return sequence(setOf(sequence(objectIdentifier(OID.commonName), text(TAG.utf8String, commonName))))
}

/** `CN=a, O=b` in the order of the name, and the last common name. @throws CertificateError `malformed` */
export function readName(name: Element): { readonly text: string; readonly commonName: string } {
  const relative = new Fields(name, TAG.sequence, 'name')
  const parts: string[] = []
  let commonName = ''
  while (!relative.done) {
    for (const each of childrenOf(relative.take(TAG.set, 'part'))) {
      const fields = new Fields(each, TAG.sequence, 'part of a name')
      const type = readObjectIdentifier(fields.take(TAG.objectIdentifier, 'type'))
      const value = showText(fields.any('value'))
      fields.end()
      if (type === OID.commonName) commonName = value
      parts.push(`${SHORT[type] ?? type}=${value}`)
    }
  }
  if (parts.length > MAX_PARTS) throw malformed(`a name of more than ${MAX_PARTS} parts`)
  return { text: parts.join(', '), commonName }
}

const TEXT_TAGS: readonly number[] = [TAG.utf8String, TAG.printableString, TAG.ia5String]

function showText(value: Element): string {
  if (!TEXT_TAGS.includes(tagOf(value))) return '?'
  const shown = new TextDecoder().decode(contentOf(value)).replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '?')
  return shown.length <= LONGEST_SHOWN ? shown : `${shown.slice(0, LONGEST_SHOWN)}...`
}
