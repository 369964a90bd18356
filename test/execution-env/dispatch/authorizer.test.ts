import { expect } from 'chai'
import { describe, it } from 'mocha'
import { compileFilter, EngineError } from '../../../engine/index.ts'
import { COMMAND_NAMES, type Command, type WireAction } from '../../../execution-env/contract/api/index.ts'
import { type Capabilities, normalise } from '../../../execution-env/contract/index.ts'
import { Authorizer, type RouterView } from '../../../execution-env/dispatch/authorizer.ts'
import { Grants } from '../../../execution-env/dispatch/grants.ts'

const VIEW: RouterView = {
  ports: ['in', 'out'],
  compile: (command, place) => compileFilter(command.filter, () => 0, place),
  hasClass: (name) => name === 'web',
}

/** Undefined when the command is allowed, else `code at place`. */
function judge(capabilities: Capabilities, command: Command): string | undefined {
  try {
    new Authorizer(new Grants(normalise(capabilities)), VIEW).authorize(command, 'x')
    return undefined
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return `${error.code} at ${error.place}`
  }
}

const key = { from: '10.0.1.2', to: '198.18.0.80', protocol: 6, fromPort: 1, toPort: 80 }
const flows = (more: Capabilities['flows'] = {}): Capabilities => ({
  flows: { to: ['198.18.0.0/15'], ...more },
})
const pin = (action: WireAction): Command => ({ do: 'pin', key, action })
const claim = (filter: object): Command => ({ do: 'claim', claim: 1, filter, waitNs: 1 })
const forward: WireAction = { kind: 'forward' }
// biome-ignore lint/suspicious/noThenProperty: a field of the action
const goesOn = { then: forward }

/** Command -> [what, capabilities, command, refusal or undefined][]. */
const CASES: Readonly<
  Record<string, readonly (readonly [string, Capabilities, Command, string | undefined])[]>
> = {
  claim: [
    ['within the destinations', flows(), claim({ to: '198.18.0.0/16' }), undefined],
    ['the whole of the destinations', flows(), claim({ to: '198.18.0.0/15', protocol: 'tcp' }), undefined],
    ['a mask within', flows(), claim({ to: { value: '198.18.0.1', mask: '255.254.0.1' } }), undefined],
    ['wider than the destinations', flows(), claim({ to: '198.16.0.0/14' }), 'forbidden at x.filter'],
    [
      'a mask that leaves them',
      flows(),
      claim({ to: { value: '198.0.0.0', mask: '255.0.0.0' } }),
      'forbidden at x.filter',
    ],
    ['everything', flows(), claim({}), 'forbidden at x.filter'],
    ['by granted sources', { flows: { from: ['10.0.0.0/8'] } }, claim({ from: '10.1.0.0/16' }), undefined],
    [
      'a fallback that is granted',
      flows({ actions: ['drop'] }),
      { ...claim({ to: '198.18.0.1' }), otherwise: { kind: 'drop' } } as Command,
      undefined,
    ],
    [
      'a fallback that is not',
      flows(),
      { ...claim({ to: '198.18.0.1' }), otherwise: { kind: 'drop' } } as Command,
      'forbidden at x.otherwise',
    ],
    [
      'without any flows',
      { tunnels: { open: ['10.0.0.0/8'] } },
      claim({ to: '198.18.0.1' }),
      'forbidden at x',
    ],
  ],
  unclaim: [
    ['with flows', flows(), { do: 'unclaim', claim: 1 }, undefined],
    ['without', {}, { do: 'unclaim', claim: 1 }, 'forbidden at x'],
  ],
  pin: [
    ['within', flows({ actions: ['forward'] }), pin(forward), undefined],
    ['an action that is not granted', flows({ actions: ['drop'] }), pin(forward), 'forbidden at x.action'],
    [
      'another destination',
      flows({ actions: ['forward'] }),
      { ...pin(forward), key: { ...key, to: '198.20.0.1' } } as Command,
      'forbidden at x.key',
    ],
    ['a granted source', { flows: { from: ['10.0.0.0/8'], actions: ['forward'] } }, pin(forward), undefined],
    [
      'a granted next hop',
      flows({ actions: ['forward'], targets: ['10.0.2.0/24'] }),
      pin({ kind: 'forward', via: '10.0.2.2' }),
      undefined,
    ],
    [
      'another next hop',
      flows({ actions: ['forward'], targets: ['10.0.2.0/24'] }),
      pin({ kind: 'forward', via: '10.0.3.2' }),
      'forbidden at x.action.via',
    ],
    [
      'a granted rewrite',
      flows({ actions: ['rewrite', 'forward'], targets: ['10.0.2.0/24'] }),
      pin({ kind: 'rewrite', to: '10.0.2.2', ...goesOn }),
      undefined,
    ],
    [
      'a rewritten source',
      flows({ actions: ['rewrite', 'forward'], targets: ['10.0.2.0/24'] }),
      pin({ kind: 'rewrite', from: '1.1.1.1', ...goesOn }),
      'forbidden at x.action.from',
    ],
    [
      'what follows a rewrite',
      flows({ actions: ['rewrite'] }),
      pin({ kind: 'rewrite', toPort: 1, ...goesOn }),
      'forbidden at x.action.then',
    ],
    [
      'a class of somebody',
      flows({ actions: ['class', 'forward'] }),
      pin({ kind: 'class', class: 'web', ...goesOn }),
      undefined,
    ],
    [
      'a class of nobody',
      flows({ actions: ['class', 'forward'] }),
      pin({ kind: 'class', class: 'gold', ...goesOn }),
      'unknown at x.action',
    ],
    [
      'one branch of many',
      flows({ actions: ['replicate', 'forward'] }),
      pin({ kind: 'replicate', to: [forward, { kind: 'drop' }] }),
      'forbidden at x.action.to[1]',
    ],
    ['a tunnel', flows({ actions: ['tunnel'] }), pin({ kind: 'tunnel', tunnel: 'a' }), undefined],
    ['decapsulation', flows({ actions: ['tunnel'] }), pin({ kind: 'decapsulate' }), 'forbidden at x.action'],
  ],
  unpin: [
    ['within', flows(), { do: 'unpin', key }, undefined],
    ['another destination', flows(), { do: 'unpin', key: { ...key, to: '1.2.3.4' } }, 'forbidden at x.key'],
  ],
  follow: [
    ['with flows', flows(), { do: 'follow', subscription: 1, filter: {} }, undefined],
    ['without', {}, { do: 'follow', subscription: 1, filter: {} }, 'forbidden at x'],
  ],
  'open-tunnel': [
    [
      'a granted far end',
      { tunnels: { open: ['10.0.2.0/24'] } },
      { do: 'open-tunnel', tunnel: 1, key: 'a', to: '10.0.2.9' },
      undefined,
    ],
    [
      'another one',
      { tunnels: { open: ['10.0.2.0/24'] } },
      { do: 'open-tunnel', tunnel: 1, key: 'a', to: '10.0.3.9' },
      'forbidden at x.to',
    ],
    ['without any', flows(), { do: 'open-tunnel', tunnel: 1, key: 'a', to: '10.0.2.9' }, 'forbidden at x'],
  ],
  'close-tunnel': [
    ['with tunnels', { tunnels: { open: ['10.0.2.0/24'] } }, { do: 'close-tunnel', key: 'a' }, undefined],
    ['without', {}, { do: 'close-tunnel', key: 'a' }, 'forbidden at x'],
  ],
  'create-class': [
    [
      'on a granted port',
      { classes: { linkShare: 1, ports: ['in'] } },
      { do: 'create-class', name: 'a', port: 'in', weight: 1 },
      undefined,
    ],
    [
      'on another port',
      { classes: { linkShare: 1, ports: ['in'] } },
      { do: 'create-class', name: 'a', port: 'out', weight: 1 },
      'forbidden at x.port',
    ],
    [
      'on all ports, of which some are not granted',
      { classes: { linkShare: 1, ports: ['in'] } },
      { do: 'create-class', name: 'a', weight: 1 },
      'forbidden at x.port',
    ],
    [
      'on all ports',
      { classes: { linkShare: 1, ports: ['*'] } },
      { do: 'create-class', name: 'a', weight: 1 },
      undefined,
    ],
    [
      'without a share',
      { classes: { ports: ['*'] } },
      { do: 'create-class', name: 'a', weight: 1 },
      'forbidden at x',
    ],
  ],
  'set-class': [
    ['with a share', { classes: { linkShare: 0.1 } }, { do: 'set-class', name: 'a', weight: 1 }, undefined],
    ['without', {}, { do: 'set-class', name: 'a', weight: 1 }, 'forbidden at x'],
  ],
  'remove-class': [
    ['with a share', { classes: { linkShare: 0.1 } }, { do: 'remove-class', name: 'a' }, undefined],
    ['without', {}, { do: 'remove-class', name: 'a' }, 'forbidden at x'],
  ],
  listen: [
    [
      'a granted topic',
      { messages: { on: ['host/*'] } },
      { do: 'listen', subscription: 1, topic: 'host/state' },
      undefined,
    ],
    [
      'a granted pattern',
      { messages: { on: ['host/*'] } },
      { do: 'listen', subscription: 1, topic: 'host/*' },
      undefined,
    ],
    [
      'a wider pattern',
      { messages: { on: ['host/*'] } },
      { do: 'listen', subscription: 1, topic: '*' },
      'forbidden at x',
    ],
    [
      'another topic',
      { messages: { on: ['host/*'] } },
      { do: 'listen', subscription: 1, topic: 'peer/a' },
      'forbidden at x',
    ],
  ],
  send: [
    ['a granted topic', { messages: { send: ['a'] } }, { do: 'send', topic: 'a', body: 1 }, undefined],
    ['another topic', { messages: { send: ['a'] } }, { do: 'send', topic: 'b', body: 1 }, 'forbidden at x'],
    ['only listening', { messages: { on: ['a'] } }, { do: 'send', topic: 'a', body: 1 }, 'forbidden at x'],
  ],
  answer: [
    [
      'a granted name',
      { query: { answer: ['load'] } },
      { do: 'answer', subscription: 1, name: 'load' },
      undefined,
    ],
    [
      'another',
      { query: { answer: ['load'] } },
      { do: 'answer', subscription: 1, name: 'cost' },
      'forbidden at x',
    ],
  ],
  watch: [
    [
      'a granted table',
      { query: { watch: ['flows'] } },
      { do: 'watch', subscription: 1, query: { table: 'flows' }, everyNs: 1 },
      undefined,
    ],
    [
      'another',
      { query: { watch: ['flows'] } },
      { do: 'watch', subscription: 1, query: { table: 'classes' }, everyNs: 1 },
      'forbidden at x',
    ],
    [
      'only asking',
      { query: { get: ['*'] } },
      { do: 'watch', subscription: 1, query: { table: 'flows' }, everyNs: 1 },
      'forbidden at x',
    ],
  ],
  'watch-route': [
    [
      'a granted address',
      { routes: { watch: ['10.0.0.0/8'] } },
      { do: 'watch-route', subscription: 1, address: '10.1.1.1' },
      undefined,
    ],
    [
      'another',
      { routes: { watch: ['10.0.0.0/8'] } },
      { do: 'watch-route', subscription: 1, address: '11.1.1.1' },
      'forbidden at x.address',
    ],
  ],
  timer: [
    [
      'as often as granted',
      { timers: { perSecond: 10 } },
      { do: 'timer', subscription: 1, afterNs: 1e8, repeat: true },
      undefined,
    ],
    [
      'more often',
      { timers: { perSecond: 10 } },
      { do: 'timer', subscription: 1, afterNs: 9e7, repeat: true },
      'forbidden at x',
    ],
    [
      'once, however soon',
      { timers: { perSecond: 10 } },
      { do: 'timer', subscription: 1, afterNs: 1, repeat: false },
      undefined,
    ],
    ['without any', {}, { do: 'timer', subscription: 1, afterNs: 1e9, repeat: false }, 'forbidden at x'],
  ],
  cancel: [['always', {}, { do: 'cancel', subscription: 1 }, undefined]],
  fetch: [
    ...(
      [
        ['an address of the origin', 'https://a.example/x?y=1', undefined],
        ['the default port written out', 'https://a.example:443/', undefined],
        ['the origin in capitals', 'HTTPS://A.EXAMPLE/', undefined],
        ['a path with dots', 'https://a.example/../../b.example', undefined],
        ['a port that was granted', 'http://10.0.2.9:8080/', undefined],
        ['IDN in whatever case', 'https://BÜCHER.example/', undefined],
        ['the same host without encryption', 'http://a.example/', 'forbidden at x.url'],
        ['another port', 'https://a.example:8443/', 'forbidden at x.url'],
        ['a subdomain', 'https://b.a.example/', 'forbidden at x.url'],
        ['a name that only begins so', 'https://a.example.evil.example/', 'forbidden at x.url'],
        ['a name with a dot at its end', 'https://a.example./', 'forbidden at x.url'],
        ['a user who looks like the host', 'https://a.example@evil.example/', 'forbidden at x.url'],
        ['an empty user', 'https://@a.example/', 'forbidden at x.url'],
        ['a host behind a backslash', 'https://evil.example\\@a.example/', 'forbidden at x.url'],
        ['a letter that looks alike', 'https://\u0430.example/', 'forbidden at x.url'],
        ['the address in other digits', 'http://10.0.521:8080/', undefined],
        ['another address in other digits', 'http://0x0a000208:8080/', 'forbidden at x.url'],
        ['a line feed', 'https://a.example/\nhost: evil.example', 'forbidden at x.url'],
        ['another scheme', 'file:///etc/passwd', 'forbidden at x.url'],
      ] as const
    ).map(
      ([what, url, refusal]) =>
        [
          what,
          { http: { get: ['https://a.example', 'https://xn--bcher-kva.example', 'http://10.0.2.9:8080'] } },
          { do: 'fetch', subscription: 1, url } as Command,
          refusal,
        ] as const,
    ),
    [
      'whatever is of the web, where everything is granted',
      { http: { get: ['*'] } },
      { do: 'fetch', subscription: 1, url: 'http://127.0.0.1:1/' },
      undefined,
    ],
    ['without any', {}, { do: 'fetch', subscription: 1, url: 'https://a.example/' }, 'forbidden at x'],
  ],
  'lookup-certificate': [
    [
      'a granted name',
      { certificates: { lookup: ['servers/*'] } },
      { do: 'lookup-certificate', subscription: 1, name: 'servers/s1' },
      undefined,
    ],
    [
      'another name',
      { certificates: { lookup: ['servers/*'] } },
      { do: 'lookup-certificate', subscription: 1, name: 'alice' },
      'forbidden at x.name',
    ],
    ['without any', {}, { do: 'lookup-certificate', subscription: 1, name: 'a' }, 'forbidden at x'],
  ],
  sign: [
    [
      'with a granted key',
      { keys: { sign: ['own'] } },
      { do: 'sign', subscription: 1, key: 'own', text: '' },
      undefined,
    ],
    [
      'with another',
      { keys: { sign: ['own'] } },
      { do: 'sign', subscription: 1, key: 'router', text: '' },
      'forbidden at x.key',
    ],
    [
      'by leave to verify',
      { keys: { verify: ['own'] } },
      { do: 'sign', subscription: 1, key: 'own', text: '' },
      'forbidden at x',
    ],
  ],
  verify: [
    [
      'by a granted name',
      { keys: { verify: ['servers/*'] } },
      { do: 'verify', subscription: 1, key: 'servers/s1', text: '', signature: '' },
      undefined,
    ],
    [
      'by another name',
      { keys: { verify: ['servers/*'] } },
      { do: 'verify', subscription: 1, key: 'alice', text: '', signature: '' },
      'forbidden at x.key',
    ],
    [
      'by a key that it has',
      { keys: { verify: ['servers/*'] } },
      { do: 'verify', subscription: 1, publicKey: 'AA==', text: '', signature: '' },
      undefined,
    ],
    [
      'without any',
      {},
      { do: 'verify', subscription: 1, publicKey: 'AA==', text: '', signature: '' },
      'forbidden at x',
    ],
  ],
  'define-action': [
    [
      'as for pinning',
      flows({ actions: ['forward'] }),
      { do: 'define-action', number: 1, action: forward },
      undefined,
    ],
    [
      'what is not granted',
      flows(),
      { do: 'define-action', number: 1, action: forward },
      'forbidden at x.action',
    ],
  ],
  'define-fallback': [
    [
      'a spread whose branches are granted',
      flows({ actions: ['spread', 'drop'] }),
      {
        do: 'define-fallback',
        number: 1,
        action: { kind: 'spread', to: [{ action: { kind: 'drop' }, weight: 1 }] },
      },
      undefined,
    ],
    [
      'one whose branches are not',
      flows({ actions: ['spread'] }),
      {
        do: 'define-fallback',
        number: 1,
        action: { kind: 'spread', to: [{ action: { kind: 'drop' }, weight: 1 }] },
      },
      'forbidden at x.action.to[0].action',
    ],
  ],
  'forget-actions': [['always', {}, { do: 'forget-actions' }, undefined]],
}

describe('Authorizer', () => {
  it('has cases for every command', () => {
    expect(Object.keys(CASES).sort()).to.deep.equal([...COMMAND_NAMES].sort())
  })

  for (const [command, cases] of Object.entries(CASES))
    describe(`when asked to ${command}`, () => {
      for (const [what, capabilities, given, refusal] of cases)
        it(`${refusal === undefined ? 'allows' : 'refuses'} ${what}`, () => {
          expect(judge(capabilities, given)).to.equal(refusal)
        })

      const allowed = cases.find((each) => each[3] === undefined)!
      if (Object.keys(allowed[1]).length > 0)
        it('refuses what it allows once nothing is granted (R-PR-02)', () => {
          expect(judge({}, allowed[2])).to.match(/^forbidden/)
        })
    })
})
