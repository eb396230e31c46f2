import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uploadRelease } from '../../cli/upload.ts'
import type { Client } from '../../shared/api/client.ts'
import { smallRelease } from './small.ts'

/** A copy of the small release whose packaging scripts a test writes. */
export class OwnRelease {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async copy(): Promise<OwnRelease> {
    const folder = await mkdtemp(join(tmpdir(), 'remodel-release-'))
    await cp(smallRelease, folder, { recursive: true })
    return new OwnRelease(folder)
  }

  /** Uploads it with other scripts for these packages; answers its version, which deploys ask for. */
  async with(client: Client, scripts: Record<string, string>): Promise<string> {
    for (const [name, script] of Object.entries(scripts))
      await writeFile(join(this.#folder, 'packages', name, 'packaging'), script)
    return (await uploadRelease(this.#folder, client)).release.version
  }

  remove(): Promise<void> {
    return rm(this.#folder, { recursive: true, force: true })
  }
}
