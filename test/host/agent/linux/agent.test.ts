import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, afterEach, before, describe, it } from 'mocha'
import { requireRoot } from '../../../support/linux.ts'
import { requireTool } from '../../../support/oracle.ts'
import { RealHost, type RealProcess } from '../../../support/real-host.ts'

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex')

const NGINX = (folder: string) => `
worker_processes 1; daemon off; user root; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events { worker_connections 128; }
http { access_log off; client_max_body_size 100m; client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  server { listen 80; root ${folder}/www; dav_methods PUT; create_full_put_path on; } }
`

describe('pronto host run', function () {
  this.timeout(60_000)
  let rig: RealHost

  before(function () {
    requireRoot(this)
    requireTool(this, 'tc', ['-V'])
    requireTool(this, 'ethtool')
    rig = new RealHost()
  })

  after(() => rig?.close())

  describe('when clients speak to an unmodified server', () => {
    let agent: RealProcess | undefined
    let entry: RealProcess | undefined
    let nginx: RealProcess
    let www: string
    let file: string

    before(async function () {
      requireTool(this, 'nginx', ['-v'])
      requireTool(this, 'curl')
      www = join(rig.folder, 'www')
      mkdirSync(www, { mode: 0o777 })
      file = join(rig.folder, 'big')
      writeFileSync(file, randomBytes(5_000_000))
      writeFileSync(join(www, 'big'), readFileSync(file))
      const configuration = join(rig.folder, 'nginx.conf')
      writeFileSync(configuration, NGINX(rig.folder))
      nginx = rig.run(rig.host, ['nginx', '-c', configuration])
    })

    afterEach(async () => {
      await entry?.end('SIGKILL')
      expect(await agent?.end()).to.equal(0)
    })

    after(() => nginx?.end())

    function upload(name: string): void {
      const { code, stderr } = rig.ask(
        rig.client,
        'curl',
        '-sS',
        '-m',
        '10',
        '-T',
        file,
        `http://198.18.0.80/${name}`,
      )
      expect(code, stderr).to.equal(0)
      expect(digest(join(www, name))).to.equal(digest(file))
    }

    for (const exit of ['bpf', 'tun']) {
      it(`answers from any virtual address behind the exit ${exit} (R-SLR-05, R-SLR-06, R-SLR-09)`, async () => {
        rig.configure({ exit })
        agent = await rig.start()
        entry = await rig.startEntry(1480, 1480)
        for (const address of ['198.18.0.80', '198.19.255.254']) {
          const into = join(rig.folder, 'received')
          const format = '%{remote_ip}'
          const url = `http://${address}/big`
          const { code, stdout, stderr } = rig.ask(
            rig.client,
            'curl',
            '-sS',
            '-m',
            '10',
            '-w',
            format,
            '-o',
            into,
            url,
          )
          expect(code, stderr).to.equal(0)
          expect(stdout).to.equal(address)
          expect(digest(into)).to.equal(digest(file))
        }
        const told = rig.pronto('host', 'status', 's1', '--json')
        expect(told).to.include({ code: 0, stderr: '' })
        const status = JSON.parse(told.stdout)
        expect(status.exit.kind).to.equal(exit)
        expect(status.exit.packets.decapsulated).to.be.greaterThan(10)
        expect(status.exit.packets).to.include({ malformed: 0, fragment: 0, failed: 0 })
      })

      it(`takes uploads at an MTU of 1500 though nobody tells of the tunnel, behind ${exit}`, async () => {
        rig.configure({ exit })
        agent = await rig.start()
        entry = await rig.startEntry(1500, 1480)
        upload(`told-${exit}`)
      })
    }

    it('keeps segments merged that the device has merged', async () => {
      // The device waits for more, as a fast one does under load.
      const wait =
        'cd /sys/class/net/eth0 && echo 2 > napi_defer_hard_irqs && echo 1000000 > gro_flush_timeout'
      rig.host.run('ethtool -K eth0 gro on')
      expect(rig.ask(rig.host, 'sh', '-c', wait)).to.include({ code: 0, stderr: '' })
      rig.configure()
      agent = await rig.start()
      entry = await rig.startEntry(1480, 1480)
      upload('merged')
      const { exit } = JSON.parse(rig.pronto('host', 'status', 's1', '--json').stdout)
      rig.host.run('ethtool -K eth0 gro off')
      expect(exit.bytes).to.be.greaterThan(5_000_000)
      expect(exit.bytes / exit.packets.decapsulated).to.be.greaterThan(1480)
    })

    it('takes uploads of clients that learn the size from ICMP', async () => {
      rig.configure()
      agent = await rig.start()
      rig.host.run('ip rule del pref 32700')
      entry = await rig.startEntry(1480, 1480)
      upload('learned')
      expect(rig.client.run('ip route get 198.18.0.80')).to.include('mtu 1480')
    })

    it('goes on when its device is removed and comes back', async () => {
      rig.configure({ gateway: '10.0.2.1' })
      agent = await rig.start()
      entry = await rig.startEntry(1500, 1480)
      rig.host.run('ip link del eth0')
      await agent.says('eth0 is gone')
      rig.plug()
      await agent.says('prepared anew')
      upload('again')
      expect(await agent.end()).to.equal(0)
      expect(agent.output).to.not.include('could not be undone')
      expect(rig.snapshot()).to.not.include('198.18').and.not.include('clsact')
    })

    it('goes on serving when it is killed, until the next one has cleaned up', async () => {
      rig.configure()
      await (await rig.start()).end('SIGKILL')
      entry = await rig.startEntry(1500, 1480)
      upload('orphaned')
      agent = await rig.start()
      upload('adopted')
    })

    it('answers ICMP of virtual addresses by the gateway where there is one', async () => {
      rig.router.run('ip addr add 198.18.0.5/32 dev lo')
      const words = 'ping -c 2 -i 0.2 -W 1 -I 198.18.0.5 10.0.2.2'.split(' ')
      const ping = () => rig.ask(rig.router, ...words).stdout
      rig.configure()
      agent = await rig.start()
      expect(ping()).to.include('100% packet loss')
      await agent.end()
      rig.configure({ gateway: '10.0.2.1' })
      agent = await rig.start()
      expect(ping()).to.include(' 0% packet loss')
      rig.router.run('ip addr del 198.18.0.5/32 dev lo')
    })
  })

  describe('when it ends', () => {
    afterEach(() => rig.clear())

    it('leaves the machine as it was, and its folder empty', async () => {
      for (const more of [{}, { exit: 'tun', gateway: '10.0.2.1' }, { exit: 'none' }]) {
        const earlier = rig.snapshot()
        rig.configure(more)
        const agent = await rig.start()
        expect(rig.snapshot()).to.not.equal(earlier)
        expect(await agent.end()).to.equal(0)
        expect(rig.snapshot()).to.equal(earlier)
        expect(existsSync(join(rig.runtime, 'hosts'))).to.equal(false)
      }
    })

    it('leaves filters of others and settings that others have changed', async () => {
      rig.host.run('tc qdisc add dev eth0 clsact')
      rig.host.run('tc filter add dev eth0 ingress u32 match u32 0 0 flowid 1:1')
      const earlier = rig.host.run('tc filter show dev eth0 ingress')
      rig.configure()
      const agent = await rig.start()
      rig.host.run('sysctl -qw net.ipv4.conf.eth0.arp_announce=1')
      await agent.end()
      expect(rig.host.run('tc filter show dev eth0 ingress')).to.equal(earlier)
      expect(rig.host.run('sysctl -n net.ipv4.conf.eth0.arp_announce')).to.equal('1\n')
      rig.host.run('sysctl -qw net.ipv4.conf.eth0.arp_announce=0')
      rig.host.run('tc qdisc del dev eth0 clsact')
    })

    it('keeps the discipline when somebody uses it by now', async () => {
      rig.configure()
      const agent = await rig.start()
      rig.host.run('tc filter add dev eth0 egress u32 match u32 0 0 flowid 1:1')
      await agent.end()
      expect(rig.host.run('tc filter show dev eth0 egress')).to.include('u32')
      rig.host.run('tc qdisc del dev eth0 clsact')
    })
  })

  describe('when it is killed', () => {
    afterEach(() => rig.clear())

    it('undoes at the next start what it has left', async () => {
      const earlier = rig.snapshot()
      rig.configure({ gateway: '10.0.2.1' })
      await (await rig.start()).end('SIGKILL')
      expect(rig.snapshot()).to.not.equal(earlier)
      rig.configure({ virtualHosts: ['198.51.100.0/24'] })
      const agent = await rig.start()
      expect(agent.output).to.match(/had been killed; its \d+ changes are undone/)
      expect(rig.snapshot()).to.not.include('198.18')
      await agent.end()
      expect(rig.snapshot()).to.equal(earlier)
    })

    it('keeps the list when it may not undo what is on it', async () => {
      rig.configure()
      await (await rig.start()).end('SIGKILL')
      const refused = rig.start('+net_raw')
      await refused.then(
        () => expect.fail('it should not have started'),
        (error: Error) =>
          expect(error.message).to.include('could not be undone').and.include('CAP_NET_ADMIN'),
      )
      const agent = await rig.start()
      expect(agent.output).to.include('had been killed')
      expect(await agent.end()).to.equal(0)
    })

    it('goes on though devices are gone', async () => {
      rig.host.run('ip link add name extra type veth peer name other')
      rig.host.run('ip link set extra up')
      rig.configure({ devices: ['eth0', 'extra'] })
      await (await rig.start()).end('SIGKILL')
      rig.host.run('ip link del extra')
      rig.configure()
      const agent = await rig.start()
      expect(agent.output).to.not.include('could not be undone')
      expect(await agent.end()).to.equal(0)
    })

    it('forgets a list that is of another namespace, and refuses one that is none', async () => {
      const folder = join(rig.runtime, 'hosts', 's1')
      mkdirSync(folder, { recursive: true, mode: 0o711 })
      const ledger = join(folder, 'ledger.json')
      const change = { kind: 'setting', path: 'conf/eth0/arp_ignore', before: '7', after: '0' }
      writeFileSync(ledger, JSON.stringify({ version: 1, machine: 'elsewhere', changes: [change] }))
      rig.configure()
      const agent = await rig.start()
      expect(agent.output).to.include('another boot or namespace')
      await agent.end()
      expect(rig.host.run('sysctl -n net.ipv4.conf.eth0.arp_ignore')).to.equal('0\n')
      mkdirSync(folder, { recursive: true, mode: 0o711 })
      writeFileSync(ledger, '{"version": 1,')
      const refused = rig.pronto('host', 'run', rig.file)
      expect(refused.code).to.equal(1)
      expect(refused.stderr).to.include(ledger)
      expect(readFileSync(ledger, 'utf8')).to.equal('{"version": 1,')
      rmSync(ledger)
    })
  })

  describe('when something is in the way', () => {
    afterEach(() => rig.clear())

    /** Runs an agent that must be refused. */
    function refused(more: Readonly<Record<string, unknown>>): string {
      const earlier = rig.snapshot()
      rig.configure(more)
      const { code, stdout, stderr } = rig.pronto('host', 'run', rig.file)
      expect(code, stdout).to.equal(1)
      expect(rig.snapshot()).to.equal(earlier)
      return stderr
    }

    it('refuses a second agent of the name, and others that want the same', async () => {
      rig.configure({ gateway: '10.0.2.1' })
      const agent = await rig.start()
      expect(refused({})).to.include('runs already')
      expect(refused({ name: 's2' })).to.include('taking the virtual addresses 198.18.0.0/15: EEXIST')
      const others = { name: 's2', virtualHosts: ['203.0.113.0/24'] }
      expect(refused(others)).to.include('an agent of another name')
      expect(refused({ ...others, gateway: '10.0.2.1' })).to.include('EEXIST')
      expect(await agent.end()).to.equal(0)
    })

    it('says which device is missing or down, and which address is not there', () => {
      expect(refused({ devices: ['eth7'] })).to.include('eth7')
      rig.host.run('ip link add name idle type veth peer name other')
      expect(refused({ devices: ['eth0', 'idle'] })).to.include('idle is down')
      rig.host.run('ip link del idle')
      expect(refused({ address: '10.0.2.3' })).to.include("has the host's address")
    })

    it('names file, key and what it expected', () => {
      const stderr = refused({ exit: 'xdp', interval: '1', routers: ['10.0.2.1'], device: 'eth0' })
      expect(stderr).to.include('s1.yaml:1:').and.include('exit: expected bpf, tun or none, got "xdp"')
      expect(stderr).to.include('device: unknown key').and.include('interval')
      expect(refused({ routers: ['10.0.2.1'] })).to.include('missing key certificate')
    })

    it('says what lacks without privileges', () => {
      rig.configure()
      const words = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', process.execPath, 'cli/main.ts']
      const { code, stderr } = rig.ask(rig.client, ...words, 'host', 'run', rig.file)
      expect(code).to.equal(1)
      expect(stderr).to.match(/needs root or CAP_NET_ADMIN/)
    })
  })

  describe('when it has few privileges', () => {
    afterEach(() => rig.clear())

    before(function () {
      requireTool(this, 'setpriv')
    })

    it('needs CAP_NET_ADMIN and CAP_BPF only', async () => {
      rig.configure({ gateway: '10.0.2.1' })
      const earlier = rig.snapshot()
      const agent = await rig.start('+net_admin,+bpf')
      expect(agent.output).to.include('"exit":{"kind":"bpf"').and.not.include('warning')
      expect(await agent.end()).to.equal(0)
      expect(rig.snapshot()).to.equal(earlier)
    })

    it('ends tunnels itself without CAP_BPF, and says so', async () => {
      rig.configure()
      const agent = await rig.start('+net_admin,+net_raw')
      expect(agent.output).to.include('"exit":{"kind":"tun"').and.include('CAP_BPF')
      expect(await agent.end()).to.equal(0)
    })
  })

  describe('when an operator speaks to it', () => {
    afterEach(() => rig.clear())

    it('drains, is maintained and resumes', async () => {
      rig.configure()
      const agent = await rig.start()
      for (const [word, state] of [
        ['drain', 'draining'],
        ['maintenance', 'maintenance'],
        ['resume', 'active'],
      ] as const) {
        expect(JSON.parse(rig.pronto('host', word, 's1', '--json').stdout).state).to.equal(state)
        await agent.says(`{"event":"state","state":"${state}"}`)
      }
      const { code, stdout } = rig.pronto('host', 'status', 's1')
      expect(code).to.equal(0)
      expect(stdout).to.include('host s1 (10.0.2.2) is active').and.include('tunnel exit: bpf')
      await agent.end()
    })

    it('says so when there is no such agent', () => {
      const { code, stderr } = rig.pronto('host', 'status', 's1')
      expect(code).to.equal(1)
      expect(stderr).to.include('no agent of this name runs here')
      expect(rig.pronto('host', 'status', '../s1').code).to.equal(2)
    })
  })
})
