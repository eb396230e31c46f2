import { expect, test } from 'vitest'
import { withoutPassword } from '../../shared/api/address.ts'
import { parseRedisUrl } from '../../shared/runtime/redis/address.ts'
import { settingsFor } from '../../shared/runtime/redis.ts'

test('one server is named by an ordinary address', () => {
  expect(parseRedisUrl('redis://u:p@db:6380/2')).toEqual({ url: 'redis://u:p@db:6380/2', shown: 'db:6380' })
  expect(parseRedisUrl('rediss://db')).toEqual({ url: 'rediss://db', shown: 'db:6379' })
})

test('Sentinels are named by their hosts and the name of the group, the password is of Redis', () => {
  expect(parseRedisUrl('redis+sentinel://u:p%40w@a:1,[::1]:2,c/main/3?sentinel-password=s')).toMatchObject({
    shown: 'main by a:1,::1:2,c:26379',
    sentinel: {
      name: 'main',
      db: 3,
      username: 'u',
      password: 'p@w',
      sentinelPassword: 's',
      sentinels: [
        { host: 'a', port: 1 },
        { host: '::1', port: 2 },
        { host: 'c', port: 26379 },
      ],
    },
  })
})

test('a cluster is named by some of its nodes', () => {
  expect(parseRedisUrl('rediss+cluster://u:p%40w@a:1,b')).toEqual({
    shown: 'a:1,b:6379',
    cluster: {
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
      access: { username: 'u', password: 'p@w', tls: {} },
    },
  })
})

test('the keys of an installation on a cluster begin with one hash tag, on one server as before', () => {
  expect(settingsFor('redis+cluster://a', 'remodel').prefix).toBe('{remodel}')
  expect(settingsFor('redis+cluster://a', '{mine}').prefix).toBe('{mine}')
  expect(settingsFor('redis://a', 'remodel').prefix).toBe('remodel')
})

test.each([
  'redis+cluster://a/3',
  'redis+cluster://a/main',
  'http://a',
  'redis://a,b',
  'redis+sentinel://a',
  'redis+sentinel://a/main/x',
  'redis://:hunter2@a b',
  '',
])('%j is no address, and the message keeps its password', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(/^REDIS_URL /)
  expect(() => parseRedisUrl(url)).not.toThrow(/hunter2/)
})

test('an address is shown without its passwords', () => {
  expect(withoutPassword('redis+sentinel://u:p@a:1,b:2/main?sentinel-password=s')).toBe(
    'redis+sentinel://u:***@a:1,b:2/main?sentinel-password=***',
  )
  expect(withoutPassword('redis://:secret@127.0.0.1:1')).toBe('redis://:***@127.0.0.1:1')
  expect(withoutPassword('http://127.0.0.1:7070/')).toBe('http://127.0.0.1:7070')
})
