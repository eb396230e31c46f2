import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { create } from 'tar'
import { compile } from '../../../services/compiler/compile.ts'
import type { CompileSpec } from '../../../shared/compilation/spec.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { LocalProvider } from '../../../shared/provider/local/index.ts'
import { type Hostile, honest } from './scripts.ts'

/** How a machine is made ready for the next package. */
export type Cleaning = 'renewal' | 'a list of paths'

export interface Pair {
  leaves: string[]
  /** How many packages the machine had compiled before. */
  used: number
  /** Files of the second package that are not as on a new machine, with how; none where both are the same. */
  differs: string[]
  /** Why the first package failed, after which its machine is thrown away. */
  failed?: string
}

/** One reused machine after another, and a new one to compare with each time. */
export class Workbench {
  readonly #folder: string
  readonly #provider: LocalProvider
  readonly #stemcell: string
  readonly #cleaning: Cleaning
  #reused: { id: string; used: number } | undefined
  #made = 0

  private constructor(folder: string, provider: LocalProvider, stemcell: string, cleaning: Cleaning) {
    this.#folder = folder
    this.#provider = provider
    this.#stemcell = stemcell
    this.#cleaning = cleaning
  }

  static async open(cleaning: Cleaning): Promise<Workbench> {
    const folder = await mkdtemp(join(tmpdir(), 'remodel-hostile-'))
    const provider = new LocalProvider({ directory: join(folder, 'machines') })
    return new Workbench(folder, provider, await provider.importStemcell({ name: 'host', version: '1' }), cleaning)
  }

  /** Compiles the hostile package on the reused machine, then the honest one there and on a new machine. */
  async pair({ leaves, script }: Hostile): Promise<Pair> {
    this.#reused ??= { id: await this.#machine(), used: 0 }
    const { id, used } = this.#reused
    try {
      await this.#compile(id, 'hostile', script)
    } catch (error) {
      await this.#throwAway(id)
      return { leaves, used, differs: [], failed: (error as Error).message }
    }
    this.#reused.used += 2
    const fresh = await this.#machine()
    const expected = await this.#compile(fresh, 'honest', honest)
    await this.#provider.deleteVm(fresh, null)
    try {
      const found = await this.#compile(id, 'honest', honest)
      const differs = found.equals(expected) ? [] : await this.#differences(found, expected)
      // The control run begins anew, so that each pair shows what it does by itself.
      if (this.#cleaning !== 'renewal') await this.#throwAway(id)
      return { leaves, used, differs }
    } catch (error) {
      await this.#throwAway(id)
      return { leaves, used, differs: [`the second package failed: ${(error as Error).message}`] }
    }
  }

  async close(): Promise<void> {
    for (const { id } of await this.#provider.listVms()) await this.#provider.deleteVm(id, null)
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #throwAway(id: string): Promise<void> {
    this.#reused = undefined
    await this.#provider.deleteVm(id, null)
  }

  async #machine(): Promise<string> {
    // Of one length: a machine's name is in its /etc/hostname.
    const id = `vm-${String(++this.#made).padStart(4, '0')}`
    await this.#provider.createVm(
      {
        id,
        stemcell: this.#stemcell,
        addresses: [],
        network: 'none',
        resources: {},
        ownership: { owner: 'compiler/test', purpose: 'compile' },
        renewable: true,
      },
      { scope: id, number: 1 },
    )
    return id
  }

  async #compile(id: string, name: string, script: string): Promise<Buffer> {
    const connection = await this.#provider.connect(id, { scope: id, number: 1 })
    const key = createHash('sha256').update(script).digest('hex')
    try {
      const spec = { key, name, fingerprint: key.slice(0, 40) } as CompileSpec
      const source = { gzip: false, open: () => packed(this.#folder, script) }
      const inputs = { source, dependencies: [] }
      const through = this.#cleaning === 'renewal' ? connection : withoutRenewal(connection)
      return (await compile(through, { spec, inputs, store: buffer }, AbortSignal.timeout(60_000))).stored
    } finally {
      connection.close()
    }
  }

  async #differences(found: Buffer, expected: Buffer): Promise<string[]> {
    const [left, right] = [filesOf(found), filesOf(expected)]
    const names = [...new Set([...left.keys(), ...right.keys()])].sort()
    return names.flatMap((name) => {
      const [one, other] = [left.get(name) ?? '', right.get(name) ?? '']
      if (one === other) return left.has(name) === right.has(name) ? [] : [`${name}: only on one of them`]
      return [`${name}: + ${firstAlone(one, other)} - ${firstAlone(other, one)}`]
    })
  }
}

function firstAlone(one: string, other: string): string {
  const known = new Set(other.split('\n'))
  return one.split('\n').find((line) => !known.has(line)) ?? ''
}

/**
 * What a reused machine was before: the same machine, with what the package before had put into some places removed.
 */
function withoutRenewal(connection: Connection): Connection {
  const emptied = '/var/vcap/data/compile /var/vcap/packages /var/vcap/data/packages /var/vcap/data/compiled.tgz'
  return new Proxy(connection, {
    get: (target, name) => {
      if (name === 'endProcesses') return async () => {}
      if (name === 'renew')
        return async () => {
          await target.exec(['/bin/sh', '-c', `rm -rf ${emptied} /tmp/* /tmp/.[!.]*; mkdir -p /var/vcap/packages`])
          return { freeBytes: 2 ** 40 }
        }
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

async function packed(folder: string, script: string): Promise<Buffer> {
  const place = await mkdtemp(join(folder, 'source-'))
  await writeFile(join(place, 'packaging'), script)
  await create({ file: join(place, 'source.tar'), cwd: place, portable: true }, ['packaging'])
  const bytes = await readFile(join(place, 'source.tar'))
  await rm(place, { recursive: true })
  return bytes
}

/** Name -> content of the regular files of a tar.gz. */
function filesOf(archive: Buffer): Map<string, string> {
  const tar = gunzipSync(archive)
  const files = new Map<string, string>()
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '')
    const size = Number.parseInt(tar.toString('ascii', at + 124, at + 136), 8)
    files.set(name, tar.toString('utf8', at + 512, at + 512 + size))
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}
