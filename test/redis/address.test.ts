import { expect, test } from 'vitest'
import { withoutPassword } from '../../cli/address.ts'
import { parseRedisUrl } from '../../shared/redis/address.ts'

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

test.each(['http://a', 'redis://a,b', 'redis+sentinel://a', 'redis+sentinel://a/main/x', 'redis://:hunter2@a b', ''])(
  '%j is no address, and the message keeps its password',
  (url) => {
    expect(() => parseRedisUrl(url)).toThrow(/^REDIS_URL /)
    expect(() => parseRedisUrl(url)).not.toThrow(/hunter2/)
  },
)

test('an address is shown without its passwords', () => {
  expect(withoutPassword('redis+sentinel://u:p@a:1,b:2/main?sentinel-password=s')).toBe(
    'redis+sentinel://u:***@a:1,b:2/main?sentinel-password=***',
  )
  expect(withoutPassword('redis://:secret@127.0.0.1:1')).toBe('redis://:***@127.0.0.1:1')
  expect(withoutPassword('http://127.0.0.1:7070/')).toBe('http://127.0.0.1:7070')
})
