import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { afterEach, describe, it } from 'mocha'
import { RouterProcess } from '../../../router/router-process.ts'
import { StateError } from '../../../router/state/errors.ts'
import { StateLock } from '../../../router/state/lock.ts'
import { requireLinux } from '../../support/linux.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const CHILD = fileURLToPath(new URL('./holding-child.ts', import.meta.url))

describe('StateLock', () => {
  const children: ChildProcess[] = []
  afterEach(async () => {
    for (const each of children.splice(0)) await kill(each)
  })

  const kill = (child: ChildProcess): Promise<unknown> => {
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    const gone = new Promise((settle) => child.once('exit', settle))
    child.kill('SIGKILL')
    return gone
  }

  /** Another router's process, and what it says about the lock. */
  const other = async (folder: string): Promise<{ child: ChildProcess; said: string }> => {
    const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    children.push(child)
    const said = await new Promise<string>((settle) =>
      child.stdout!.setEncoding('utf8').once('data', (text: string) => settle(text.trim())),
    )
    return { child, said }
  }

  const codeOf = (folder: string): string => {
    try {
      StateLock.take(folder).release()
      return 'taken'
    } catch (error) {
      if (error instanceof StateError) return error.code
      throw error
    }
  }

  it('is refused while another one holds it, and says who does', async () => {
    const folder = temporaryFolder('pronto-lock-')
    const lock = StateLock.take(folder)
    const { said } = await other(folder)
    expect(said).to.equal(
      `${folder}: another router (process ${process.pid}) runs on this folder; see lock in it`,
    )
    expect(codeOf(folder)).to.equal('locked')
    lock.release()
    expect((await other(folder)).said).to.equal('taken')
    expect(codeOf(folder)).to.equal('locked')
  })

  it('is taken over from a router that was killed (kill -9), by one only', async () => {
    const folder = temporaryFolder('pronto-lock-')
    await kill((await other(folder)).child)
    const all = await Promise.all(Array.from({ length: 4 }, () => other(folder)))
    expect(all.filter(({ said }) => said === 'taken')).to.have.length(1)
    for (const { said } of all)
      expect(said).to.match(/^taken$|: another router (\(process \d+\) )?runs on this/)
    expect(readdirSync(folder)).to.deep.equal(['lock'])
  })

  it('is taken over where another process has the number of a dead router', () => {
    const folder = temporaryFolder('pronto-lock-')
    const lock = StateLock.take(folder)
    const text = readFileSync(join(folder, 'lock'), 'utf8')
    writeFileSync(join(folder, 'lock'), text.replace(/"began":"[^"]*"/, '"began":"another boot 17"'))
    expect(codeOf(folder)).to.equal('taken')
    lock.release()
  })

  it('is taken over from a dead process that its parent has not asked for', async function () {
    requireLinux(this)
    const folder = temporaryFolder('pronto-lock-')
    // The child ends soon, and its parent is by then a program that never looks after children.
    const parent = spawn('sh', ['-c', 'sleep 0.2 & echo $!; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.push(parent)
    const pid = await new Promise<number>((settle) =>
      parent.stdout!.setEncoding('utf8').once('data', (text: string) => settle(Number(text))),
    )
    const status = (): string[] => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    while (status()[0] !== 'Z') await new Promise((settle) => setTimeout(settle, 5))
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid, began: `${boot} ${status()[19]}` }))
    expect(codeOf(folder)).to.equal('taken')
  })

  it('is taken over where the file says nothing, and what was left lies no more', () => {
    for (const text of ['', '{', '{"pid":-1,"began":""}', '[]']) {
      const folder = temporaryFolder('pronto-lock-')
      writeFileSync(join(folder, 'lock'), text)
      writeFileSync(join(folder, 'lock.0123.own'), 'left')
      const lock = StateLock.take(folder)
      expect(readdirSync(folder)).to.deep.equal(['lock'])
      lock.release()
      expect(readdirSync(folder)).to.deep.equal([])
    }
  })

  it('keeps a second router from coming up, before it touches anything', async () => {
    const folder = temporaryFolder('pronto-lock-')
    const state = join(folder, 'state')
    mkdirSync(state)
    const file = join(folder, 'r1.yaml')
    writeFileSync(file, `name: r1\nstate: ${state}\naddresses: { eth0: 10.0.1.1/24 }\n`)
    const lock = StateLock.take(state)
    for (const given of [{}, { state }]) {
      let code = ''
      await RouterProcess.start({ file, version: '0.0.0', ...given }).catch((error) => {
        code = error.code
      })
      expect(code).to.equal('locked')
      expect(readdirSync(state)).to.deep.equal(['lock'])
    }
    lock.release()
  })

  it('leaves the lock of another one alone when it is released', () => {
    const folder = temporaryFolder('pronto-lock-')
    const lock = StateLock.take(folder)
    writeFileSync(join(folder, 'lock'), 'of another one')
    lock.release()
    expect(readdirSync(folder)).to.deep.equal(['lock'])
  })

  it('says so where the folder cannot be written', () => {
    expect(codeOf('/nowhere/at/all')).to.equal('unreadable')
  })
})
