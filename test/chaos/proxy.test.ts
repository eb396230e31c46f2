import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FaultyProxy } from './proxy.ts'

let server: Server
let served: Socket[]
let proxy: FaultyProxy
let client: Socket
let heard: string

/** A server that sends back what it hears. */
beforeEach(async () => {
  served = []
  server = createServer((socket) => {
    served.push(socket)
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await FaultyProxy.open((server.address() as { port: number }).port)
  client = connect(proxy.port, '127.0.0.1')
  client.on('error', () => {})
  heard = ''
  client.on('data', (chunk) => {
    heard += chunk
  })
  await once(client, 'connect')
})

afterEach(async () => {
  client.destroy()
  await proxy.close()
  server.close()
  for (const socket of served) socket.destroy()
})

/** `once` would throw the reset that is expected here. */
const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve))

const text = Array.from({ length: 500 }, (_, i) => `${i},`).join('')

describe('a proxy', () => {
  test('hands on what is sent, in order, whole or sliced', async () => {
    client.write(text)
    await expect.poll(() => heard).toBe(text)
    proxy.set({ sliceBytes: 3 })
    client.write(text)
    await expect.poll(() => heard).toBe(text + text)
  })

  test('is late by its latency each way, and keeps the order with jitter', async () => {
    proxy.set({ latencyMs: 60, jitterMs: 30 })
    const began = performance.now()
    for (const part of ['a', 'b', 'c']) {
      client.write(part)
      await sleep(5)
    }
    await expect.poll(() => heard, { interval: 5 }).toBe('abc')
    expect(performance.now() - began).toBeGreaterThan(115)
  })

  test.each(['up', 'down', 'both'] as const)(
    'lets nothing pass through a hole (%s) until it is taken out',
    async (hole) => {
      proxy.set({ hole })
      client.write('hello')
      await sleep(150)
      expect(heard).toBe('')
      proxy.calm()
      await expect.poll(() => heard).toBe('hello')
    },
  )

  test('cuts connections with a reset, on both sides', async () => {
    client.write('x')
    await expect.poll(() => heard).toBe('x')
    const both = [closed(client), closed(served[0]!)]
    proxy.cut()
    await Promise.all(both)
  })

  test('leaves a half-open connection open, deaf, and resets it when the weather is fair again', async () => {
    client.write('x')
    await expect.poll(() => heard).toBe('x')
    proxy.halfOpen()
    await closed(served[0]!)
    client.write('y')
    await sleep(150)
    expect([heard, client.destroyed]).toEqual(['x', false])
    const reset = closed(client)
    proxy.calm()
    await reset
  })
})
