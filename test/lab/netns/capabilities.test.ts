import { expect } from 'chai'
import { describe, it } from 'mocha'
import { backends, checkBackend, FEATURES, LabFileError } from '../../../lab/index.ts'
import { labOf } from '../../support/labs.ts'

const TWO_HOSTS = (link: string, head = '', client = '') => `
name: pair
${head}
nodes:
  a: { kind: host, addresses: { eth0: 10.0.1.2/24 }, clients: [ ${client} ] }
  b: { kind: host, addresses: { eth0: 10.0.1.3/24 } }
links: [ { endpoints: [ "a:eth0", "b:eth0" ] ${link} } ]
`

async function refused(text: string): Promise<string> {
  const backend = await backends.open('netns')
  try {
    checkBackend(labOf(text), backend)
    return ''
  } catch (error) {
    if (!(error instanceof LabFileError)) throw error
    return error.message
  }
}

describe('the netns backend', () => {
  describe('when a lab asks for what real hosts cannot do', () => {
    it('says of every feature whether it can be had', async () => {
      const { capabilities } = await backends.open('netns')
      expect(Object.keys(capabilities)).to.have.members([...FEATURES])
    })

    it('refuses a calendar other than the machine’s', async () => {
      expect(await refused(TWO_HOSTS('', 'epoch: 2030-01-01T00:00:00Z'))).to.match(
        /epoch: .*this machine's calendar/,
      )
    })

    it('refuses every fault of a link between hosts, by its key', async () => {
      for (const [key, value] of Object.entries({
        rate: '10Mbps',
        delay: '1ms',
        loss: '1%',
        reorder: '1%',
        duplicate: '1%',
        corrupt: '1%',
        queue: '{ packets: 10 }',
      }))
        expect(await refused(TWO_HOSTS(`, ${key}: ${value}`)), key).to.include(`links[0].${key}`)
    })

    it('refuses more echo requests than it can make', async () => {
      const client = '{ protocol: ping, to: 10.0.1.3, rate: 500/s, count: 5 }'
      expect(await refused(TWO_HOSTS('', '', client))).to.include('nodes.a.clients[0].rate')
    })
  })

  describe('when it can do what is asked for', () => {
    it('takes an MTU between hosts, and faults where a router is at one end', async () => {
      expect(await refused(TWO_HOSTS(', mtu: 9000'))).to.equal('')
      const routed = TWO_HOSTS(', delay: 1ms, loss: 1%').replace('b: { kind: host', 'b: { kind: router')
      expect(await refused(routed)).to.equal('')
    })
  })
})
