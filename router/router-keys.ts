/**
 * The keys of a router that plugins may sign with, by the names of its configuration. The one idea: they are read when
 * the configuration is, all or none, and never leave this thread.
 */
import { readFileSync } from 'node:fs'
import { CertificateError, type KeyObject, readPrivateKey } from '../execution-env/certificates/index.ts'

export class RouterKeys {
  #keys: ReadonlyMap<string, KeyObject> = new Map()

  get(name: string): KeyObject | undefined {
    return this.#keys.get(name)
  }

  /**
   * Reads files anew. Returns the way back.
   * @param files name -> absolute path of an Ed25519 key in PEM
   * @throws CertificateError that names the file; the keys are those from before then
   */
  load(files: Readonly<Record<string, string>>): () => void {
    const before = this.#keys
    this.#keys = new Map(Object.entries(files).map(([name, file]) => [name, readKey(file)]))
    return () => {
      this.#keys = before
    }
  }
}

function readKey(file: string): KeyObject {
  let pem: string
  try {
    pem = readFileSync(file, 'utf8')
  } catch (error) {
    throw new CertificateError('unreadable', (error as Error).message, file)
  }
  const key = readPrivateKey(pem)
  if (key.asymmetricKeyType !== 'ed25519')
    throw new CertificateError(
      'unsupported',
      `a key of type ${key.asymmetricKeyType}, expected ed25519`,
      file,
    )
  return key
}
