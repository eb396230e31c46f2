import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HealthCheck, healthChecksFault } from '../../../../kinds/deployment/health-checks.ts'
import { checksOf, failedChecks } from '../../../../kinds/deployment/instance/health-checks.ts'
import type { Connection } from '../../../../shared/provider/connection.ts'
import { fence, Place } from '../../../provider/place.ts'

let place: Place
let machine: Connection
let server: Server
let port: number
beforeAll(async () => {
  place = await Place.make()
  await place.provider.createVm(place.request('w'), fence(1))
  machine = await place.provider.connect('w', fence(1))
  // A machine of this computer has its network.
  server = createServer((request, response) => {
    response.statusCode = request.url === '/sick?deep=1' ? 503 : 204
    response.end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  server?.close()
  machine?.close()
  await place?.leave()
})

const refusals = async (...given: object[]) => {
  const checks = given.map((check) => HealthCheck.parse(check))
  return failedChecks(
    machine,
    await checksOf(machine, ['web'], { web: checks }, '127.0.0.1'),
    AbortSignal.timeout(60_000),
  )
}

test('a check holds where a connection is taken, a page answered, a command well', async () => {
  const held = await refusals(
    { type: 'tcp', port },
    { type: 'http', port },
    { type: 'http', port, path: '/sick?deep=1', status: 503 },
    { type: 'command', command: 'test -d /var/vcap && true' },
  )
  expect(held).toEqual([])
})

test('a check that does not hold says what was asked and what came', async () => {
  // Port 1 of an address that no machine has.
  const refused = await refusals(
    { type: 'tcp', port: 1, address: '127.255.255.254' },
    { type: 'http', port, path: '/sick?deep=1' },
    { type: 'http', port, status: 200 },
    { type: 'command', command: 'echo "the schema is not there" >&2; exit 3' },
    { type: 'command', command: 'exit 3' },
    { type: 'command', command: 'sleep 1000', timeout: 0.2 },
  )
  expect(refused).toEqual([
    'web: tcp 127.255.255.254:1: Connection refused',
    `web: http://127.0.0.1:${port}/sick?deep=1: the answer is 503`,
    `web: http://127.0.0.1:${port}/: the answer is 204`,
    'web: echo "the schema is not there" >&2; exit 3: the schema is not there',
    'web: exit 3: it ended with 3',
    'web: sleep 1000: it did not end within 0.2 s',
  ])
})

test("a job's own file is read beside what the manifest says", async () => {
  await machine.write('/var/vcap/jobs/own/health_checks.yml', '- {type: command, command: "exit 4"}\n')
  const checks = await checksOf(machine, ['own'], { own: [{ type: 'command', command: 'exit 5' }] }, '127.0.0.1')
  expect(await failedChecks(machine, checks, AbortSignal.timeout(60_000))).toEqual([
    'own: exit 4: it ended with 4',
    'own: exit 5: it ended with 5',
  ])
})

test('a file of checks that is none is refused with its line', () => {
  expect(healthChecksFault('- type: tcp\n  port: 80\n')).toBeNull()
  expect(healthChecksFault('- type: tcp\n  port: 80\n- type: http\n  port: 80\n  prot: 80\n')?.line).toBe(5)
  expect(healthChecksFault('port: 80\n')?.line).toBe(1)
})
