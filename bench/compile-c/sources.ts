import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'

/** npm packages that carry the C sources of others, and the sha256 of what `npm pack` gives of them. */
const origins = {
  'libxmljs@1.0.11': '7edf4ed3ff528688352fdd7dc9d9a596f0cba206c369a302375cbb6f0e93ab14',
  'libxslt@0.10.2': '981da192a6de277ae8e14e7fcb2b8c1495f93c18b439bcb85ba0b4fc031da1dd',
  'lmdb@3.5.6': '6b20d08ca52121003469964d53ddf049ff9bfefc37db86e181912b33b8f0b758',
  'nodegit@0.27.0': '9f6b58d6eda1d6ceef0fe8520b5417e12300ab8acde2596f8c0f55d9ecf47d5e',
  'oniguruma@7.2.3': 'a9e6e7854c717181a51909a64c755ff16d8d629df85b1b46fcb96746dbcc57eb',
  'xxhash-addon@2.1.0': '2a680912f0d3150f55a5983f13a190566bc7f5ec50c33428f028621ada4cbb25',
} as const

type Origin = keyof typeof origins

/** Package -> where its sources are: folder in the origin -> folder in the package, or files that match. */
const sources: Record<string, readonly [Origin, from: string, to: string, only?: RegExp][]> = {
  'http-parser': [['nodegit@0.27.0', 'vendor/libgit2/deps/http-parser', '.']],
  lg2: [['nodegit@0.27.0', 'vendor/libgit2/examples', '.', /\.[ch]$/]],
  libexslt: [
    ['libxslt@0.10.2', 'deps/libxslt/libexslt', 'libexslt', /\.[ch]$/],
    ['libxslt@0.10.2', 'deps/libxslt.config/linux/x64', 'config'],
  ],
  libgit2: [
    ['nodegit@0.27.0', 'vendor/libgit2/src', 'src'],
    ['nodegit@0.27.0', 'vendor/libgit2/include', 'include'],
  ],
  libxml2: [
    ['libxmljs@1.0.11', 'vendor/libxml2', '.', /\.[ch]$/],
    ['libxmljs@1.0.11', 'vendor/libxml2/include', 'include'],
    ['libxmljs@1.0.11', 'vendor/libxml2.config', 'config'],
  ],
  libxslt: [
    ['libxslt@0.10.2', 'deps/libxslt/libxslt', 'libxslt', /\.[ch]$/],
    ['libxslt@0.10.2', 'deps/libxslt.config/linux/x64', 'config'],
  ],
  lmdb: [['lmdb@3.5.6', 'dependencies/lmdb/libraries/liblmdb', '.', /^(mdb|midl|chacha8|lmdb)\.[ch]$/]],
  'lmdb-tools': [
    ['lmdb@3.5.6', 'dependencies/lmdb/libraries/liblmdb', '.', /^(mdb_(stat|copy|drop)\.c|module\.[ch])$/],
  ],
  lz4: [['lmdb@3.5.6', 'dependencies/lz4/lib', '.', /\.[ch]$/]],
  onig: [['oniguruma@7.2.3', 'deps/onig', '.', /^((reg|st|onig|config).*\.[ch]|enc)$/]],
  pcre: [['nodegit@0.27.0', 'vendor/libgit2/deps/pcre', '.', /\.[ch]$/]],
  xmllint: [['libxmljs@1.0.11', 'vendor/libxml2', '.', /^(xmllint\.c|xmlcatalog\.c|libxml\.h)$/]],
  xsltproc: [
    ['libxslt@0.10.2', 'deps/libxslt/xsltproc', '.', /^xsltproc\.c$/],
    ['libxslt@0.10.2', 'deps/libxslt.config/linux/x64', 'config'],
  ],
  xxhash: [['xxhash-addon@2.1.0', 'xxHash', '.', /^xxhash\.[ch]$/]],
  zlib: [['nodegit@0.27.0', 'vendor/libgit2/deps/zlib', '.', /\.[ch]$/]],
}

/** Lays out the release below `folder`, with the sources of every package in `src`. npm's own cache is asked first. */
export async function layOutRelease(folder: string): Promise<void> {
  await cp(new URL('release', import.meta.url).pathname, folder, { recursive: true })
  const work = await mkdtemp(join(tmpdir(), 'remodel-bench-c-'))
  try {
    const unpacked = new Map<string, string>()
    for (const [origin, digest] of Object.entries(origins))
      unpacked.set(origin, await fetchOrigin(work, origin, digest))
    for (const [name, parts] of Object.entries(sources)) {
      for (const [origin, from, to, only] of parts) {
        const [source, target] = [join(unpacked.get(origin)!, from), join(folder, 'src', name, to)]
        await mkdir(target, { recursive: true })
        const fits = (path: string) =>
          path === source || !only || only.test(path.slice(source.length + 1).split('/')[0]!)
        await cp(source, target, { recursive: true, filter: fits })
      }
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

async function fetchOrigin(work: string, origin: string, digest: string): Promise<string> {
  const { stdout } = await execa('npm', ['pack', '--prefer-offline', '--silent', '--pack-destination', work, origin], {
    cwd: work,
  })
  const file = join(work, stdout.trim().split('\n').at(-1)!)
  const found = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  if (found !== digest) throw new Error(`${origin} has sha256 ${found}, not ${digest}`)
  const folder = join(work, origin)
  await mkdir(folder)
  await execa('tar', ['-xzf', file, '-C', folder, '--strip-components=1', '--no-same-owner'])
  return folder
}
