/**
 * The names by which authors import this package's kit, and where its doors lie. The one idea: building and testing
 * find the kit beside themselves, wherever it is installed, also in a clone.
 */

/** What plugins may import: name -> module below this folder, without its ending. */
export const PLUGIN_KIT: Readonly<Record<string, string>> = {
  'pronto-router/sdk': 'index',
  'pronto-router/sdk/policies': 'policies/index',
}

/** What tests of plugins may import beside that. */
export const TEST_KIT: Readonly<Record<string, string>> = {
  ...PLUGIN_KIT,
  'pronto-router/sdk/testing': 'testing/index',
}
