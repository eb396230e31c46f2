import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { closeStalledBodies } from '../../services/planner/http/stalled-bodies.ts'

test('a body that stops arriving ends its connection, one that arrives slowly does not', async () => {
  const api = Fastify()
  closeStalledBodies(api, 400)
  api.post('/', async (request) => request.body)
  await api.listen({ host: '127.0.0.1', port: 0 })
  const { port } = api.server.address() as { port: number }
  const head = 'POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 12\r\n\r\n'
  const send = (first: string) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.setEncoding('utf8')
    socket.on('data', (part) => {
      answer += part
    })
    socket.on('error', () => {})
    socket.write(head + first)
    return { socket, answer: () => answer, ended: new Promise((resolve) => socket.once('close', resolve)) }
  }
  const stalled = send('{"a"')
  const slow = send('')
  for (const character of '{"a": "bcd"}') {
    slow.socket.write(character)
    await sleep(100)
  }
  await stalled.ended
  expect(stalled.answer()).toBe('')
  while (!slow.answer().includes('bcd')) await sleep(20)
  expect(slow.answer()).toContain('200 OK')
  slow.socket.destroy()
  await api.close()
})
