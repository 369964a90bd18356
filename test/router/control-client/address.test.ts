import { chmodSync, mkdirSync, renameSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { ControlError } from '../../../router/control/errors.ts'
import { makeRouterFolder, runtimeFolder } from '../../../router/control/runtime-folder.ts'
import { routerAddress } from '../../../router/control-client/address.ts'
import { requireReadable, requireRoot } from '../../support/linux.ts'
import { requireTool, runTool } from '../../support/oracle.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'
import { refusalOf } from '../router-kit.ts'
import { closeAll, onClose } from '../server-kit.ts'

const ADDRESS = new URL('../../../router/control-client/address.ts', import.meta.url).href

afterEach(closeAll)

/** A runtime folder with routers that listen, and some (`+`) that have died. */
async function baseWith(...routers: string[]): Promise<string> {
  const base = temporaryFolder('pronto-run-')
  for (const each of routers) {
    const folder = join(base, each.replace('+', ''))
    mkdirSync(folder, { recursive: true })
    const server = createServer()
    await new Promise<void>((settle) => server.listen(join(folder, 's'), () => settle()))
    renameSync(join(folder, 's'), join(folder, 'read.sock'))
    if (each.startsWith('+')) server.close()
    else onClose(() => server.close())
  }
  return base
}

describe('routerAddress', () => {
  it('finds routers by name, those of labs also without the lab', async () => {
    const base = await baseWith('r1', 'lab/r2', 'other/r3', 'lab/r3')
    const folder = (text: string) => routerAddress(text, base)
    expect(await folder('r1')).to.deep.equal({ kind: 'local', folder: join(base, 'r1') })
    expect(await folder('lab/r2')).to.deep.equal({ kind: 'local', folder: join(base, 'lab', 'r2') })
    expect(await folder('r2')).to.deep.equal(await folder('lab/r2'))
    const refusal = async (text: string) => (await refusalOf(folder(text))).message
    expect(await refusal('r3')).to.equal('there is more than one router r3: lab/r3, other/r3')
    expect(await refusal('r4')).to.equal('no router r4 runs here; there are lab/r2, lab/r3, other/r3, r1')
  })

  it('takes the only one where none is named; one that has died does not count', async () => {
    const base = await baseWith('lab/r1', '+r2', '+lab/r3')
    expect(await routerAddress(undefined, base)).to.deep.equal({
      kind: 'local',
      folder: join(base, 'lab', 'r1'),
    })
    const refusal = await refusalOf(routerAddress(undefined, await baseWith('+r1')))
    expect(refusal.message).to.equal('no router runs here; say which one with --router NAME|URL')
  })

  it('tells who is let through, but may not look around, what may not be done', async function () {
    requireRoot(this)
    requireTool(this, 'setpriv')
    requireReadable(this)
    const base = await baseWith('r1')
    chmodSync(base, 0o711)
    const asNobody = (...words: string[]) => {
      const program = `const { routerAddress } = await import(${JSON.stringify(ADDRESS)});
        await routerAddress(${JSON.stringify(words[0])}, ${JSON.stringify(base)}).then((found) => console.log(found.folder), (error) => console.log(error.message))`
      const identity = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath]
      return runTool('setpriv', [...identity, '--input-type=module', '-e', program]).trim()
    }
    expect(asNobody('r1')).to.equal(join(base, 'r1'))
    expect(asNobody('r2')).to.equal('no router r2 runs here')
    expect(asNobody()).to.equal(
      `you may not list the routers in ${base}; say which one with --router NAME|URL`,
    )
  })

  it('reads URLs, and nothing that is not encrypted', async () => {
    expect(await routerAddress('wss://r1.example')).to.deep.equal({
      kind: 'remote',
      host: 'r1.example',
      port: 7443,
      name: 'r1.example',
    })
    expect(await routerAddress('wss://10.0.0.1:99#r1')).to.deep.equal({
      kind: 'remote',
      host: '10.0.0.1',
      port: 99,
      name: 'r1',
    })
    for (const text of ['ws://r1', 'https://r1', 'wss://', 'wss://a@r1', 'wss://r1/x', 'wss://r1?x=1'])
      expect(await refusalOf(routerAddress(text)), text).to.include({ code: 'invalid' })
  })
})

describe('the runtime folder', () => {
  it('is the environment’s, the session’s, or the machine’s', () => {
    expect(runtimeFolder({ PRONTO_RUNTIME: '/x' }, 0)).to.equal('/x')
    expect(runtimeFolder({ XDG_RUNTIME_DIR: '/run/user/7' }, 7)).to.equal('/run/user/7/pronto')
    expect(runtimeFolder({ XDG_RUNTIME_DIR: 'relative' }, 0)).to.equal('/run/pronto')
    expect(runtimeFolder({}, 7)).to.equal(join(tmpdir(), 'pronto-7'))
  })

  it('lets others pass, whatever the umask of a service', () => {
    const before = process.umask(0o077)
    try {
      const folder = makeRouterFolder('lab/r1', join(temporaryFolder('pronto-run-'), 'run'))
      for (const each of [folder, dirname(folder), dirname(dirname(folder))])
        expect(statSync(each).mode & 0o777, each).to.equal(0o711)
    } finally {
      process.umask(before)
    }
  })

  it('takes no folder that others could have prepared', () => {
    const base = temporaryFolder('pronto-run-')
    expect(makeRouterFolder('lab/r1', base)).to.equal(join(base, 'lab', 'r1'))
    expect(makeRouterFolder('lab/r1', base)).to.equal(join(base, 'lab', 'r1'))
    const open = join(base, 'open')
    mkdirSync(open)
    // The mask of the process would take the bits away.
    const mask = process.umask(0)
    mkdirSync(join(open, 'r2'), { mode: 0o777 })
    process.umask(mask)
    expect(() => makeRouterFolder('r2', open))
      .to.throw(ControlError)
      .with.property('code', 'forbidden')
    for (const name of ['', '..', 'a/../b', '/etc', 'a/b/c', 'A', 'a b'])
      expect(() => makeRouterFolder(name, base), name)
        .to.throw(ControlError)
        .with.property('code', 'invalid')
  })
})
