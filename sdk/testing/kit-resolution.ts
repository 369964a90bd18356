/** Loaded before an author's tests: the kit's names mean the kit that runs them. */
import { registerHooks } from 'node:module'
import { extname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { TEST_KIT } from '../kit-names.ts'

const ENDING = extname(import.meta.filename)
const folder = join(import.meta.dirname, '..')

registerHooks({
  resolve(specifier, context, next) {
    const file = Object.hasOwn(TEST_KIT, specifier) ? TEST_KIT[specifier] : undefined
    if (file === undefined) return next(specifier, context)
    return { url: pathToFileURL(join(folder, file + ENDING)).href, shortCircuit: true }
  },
})
