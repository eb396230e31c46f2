import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { pack } from '../../../../kinds/deployment/render/bundle.ts'
import { prepareJob } from '../../../../kinds/deployment/render/job.ts'
import { readJobSpec } from '../../../../shared/release/spec.ts'
import { readReleaseTarball } from '../../../../shared/release/tarball.ts'
import { SourceDocument } from '../../../../shared/source/document.ts'
import { refusal } from '../../../release/fixture.ts'
import { casesFolder } from '../../../support/cases.ts'

/** A job spec in which one property is named `aliases` times. */
const specOf = (aliases: number) =>
  `name: j\nproperties:\n  a: &a {description: x, default: [1]}\n${Array.from({ length: aliases }, (_, i) => `  p${i}: *a\n`).join('')}`
const archiveOf = (spec: string) =>
  Buffer.from(pack([{ path: 'job.MF', mode: 0o644, content: Buffer.from(spec) }]).content)
const job = { name: 'j', digest: 'sha256:0', templates: {} }

test('a job spec that is taken at its upload is taken by every plan: one limit for aliases', async () => {
  for (const aliases of [10, 301, 900]) {
    const spec = specOf(aliases)
    expect(Object.keys(readJobSpec(new SourceDocument('spec', spec)).properties)).toHaveLength(aliases + 1)
    expect((await prepareJob('x', job, archiveOf(spec))).properties).toHaveLength(aliases + 1)
  }
})

test('one with more aliases is refused at its upload with its file, and stops no plan of those who have it', async () => {
  const spec = specOf(1100)
  const { code, faults } = await refusal(Promise.resolve().then(() => readJobSpec(new SourceDocument('spec', spec))))
  expect([code, faults[0]?.file]).toEqual(['invalid-input', 'spec'])
  expect((await prepareJob('x', job, archiveOf(spec))).properties).toEqual([])
})

const tarball = join(casesFolder, 'field/C14-jobmf-301-aliases/53aliases.tgz')
test.runIf(existsSync(tarball))('the release of C14 can be uploaded and planned with', async () => {
  const archives: Buffer[] = []
  const release = await readReleaseTarball(tarball, async (content) => {
    archives.push(await buffer(content as AsyncIterable<Uint8Array>))
    return 'sha256:0'
  })
  const [one] = release.jobs
  expect((await prepareJob('x', { ...job, templates: one!.templates }, archives[0]!)).properties).toEqual(
    Object.keys(one!.properties),
  )
})
