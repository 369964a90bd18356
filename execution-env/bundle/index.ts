/** The door of the bundles: build, read, sign, verify. */
export type { Bundle, BundleSource } from './bundle.ts'
export { attachSignature, buildBundle, bundleFileName, MAX_BUNDLE_BYTES, readBundle } from './bundle.ts'
export type { BundleErrorCode } from './errors.ts'
export { BundleError } from './errors.ts'
export { signBundle } from './sign.ts'
export type { BundleRequest, VerifiedBundle } from './verify.ts'
export { verifyBundle } from './verify.ts'
