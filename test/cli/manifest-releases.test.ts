import { describe, expect, test } from 'vitest'
import { localReleases } from '../../cli/manifest-releases.ts'

const of = (releases: string) =>
  localReleases({ name: '/srv/web/web.yml', content: `name: web\nreleases:\n${releases}` })

describe('releases that a manifest brings along', () => {
  test('are found relative to the manifest, and `create` and `latest` leave the version to the content', () => {
    expect(
      of(
        '- {name: a, version: create, url: "file:."}\n- {name: b, version: latest, url: "file://../b"}\n- {name: c, version: "1.2", url: "file:///srv/c.tgz"}',
      ),
    ).toEqual([
      { name: 'a', version: undefined, path: '/srv/web' },
      { name: 'b', version: undefined, path: '/srv/b' },
      { name: 'c', version: '1.2', path: '/srv/c.tgz' },
    ])
  })

  test('are none where releases have no url or are to be fetched from elsewhere', () => {
    expect(
      of('- {name: a, version: latest}\n- {name: b, version: 1, url: "https://example.com/profile:b.tgz"}'),
    ).toEqual([])
    expect(localReleases({ name: 'x', content: 'url: file:nowhere\n' })).toEqual([])
  })

  test('cannot be created without files: the fault names the line', () => {
    expect(() => of('- name: a\n  version: create\n')).toThrowError(
      expect.objectContaining({
        code: 'invalid-input',
        faults: [expect.objectContaining({ file: '/srv/web/web.yml', line: 4, path: 'releases[0].version' })],
      }),
    )
  })
})
