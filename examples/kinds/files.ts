import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { execa } from 'execa'
import { z } from 'zod'
import {
  type Difference,
  defineKind,
  defineStep,
  diffMaterials,
  failpoint,
  materialName,
  type RemodelDraft,
  RemodelError,
  type StepContext,
} from '../../kinds/contract/sdk.ts'

/**
 * A small kind that does everything: files in a directory. An extension (REMODEL_EXTENSIONS), explained
 * in docs/design/kinds.md.
 *
 * `file/srv/www/index.html` is the file `/srv/www/index.html`. Beside it lies `.index.html.fence`, the highest
 * fence that was ever shown for the file and for whom. It stays when the file goes: a writer that wakes up
 * late is refused even then.
 */
export const name = 'files'

const Document = z.strictObject({
  kind: z.literal('files'),
  name: z.string().regex(/^[^/\s{}]+$/, 'must not contain a slash, a space or a brace'),
  directory: z.string().startsWith('/', 'must be an absolute path'),
  files: z.record(z.string().regex(/^(?!.*(^|\/)[./])\S+$/, 'must be a path below the directory'), z.string()),
})

const pathOf = (id: string) => `/${materialName(id)}`
const digest = (content: string | Buffer) => `sha256:${createHash('sha256').update(content).digest('hex')}`

/** Digest of the file at a path; null where there is none. */
async function digestAt(path: string): Promise<string | null> {
  const content = await readFile(path).catch(() => null)
  return content && digest(content)
}

export const kind = defineKind({
  name,
  /** Material -> what the file is to hold. */
  strategy: z.record(z.string(), z.string()),
  recognises: ({ value }) => value !== null && typeof value === 'object' && Reflect.get(value, 'kind') === name,
  deploymentName: (document) => document.parse(Document).name,
  nothing: (deployment) => ({ deployment, kind: name, materials: [], strategy: {} }),

  architect(document) {
    const { name: deployment, directory, files } = document.parse(Document)
    const contents = Object.entries(files).map(([file, text]) => [`file${join(directory, file)}`, text] as const)
    const materials = contents.map(([id, text]) => ({ id, attributes: { digest: digest(text) }, needs: [] }))
    return { deployment, kind: name, materials, strategy: Object.fromEntries(contents) }
  },

  /**
   * The recorded files, with the content they have now: a file that was changed or removed by hand is written again.
   */
  async inspector(_blueprint, { recorded }) {
    const look = async (id: string) => ({ id, attributes: { digest: await digestAt(pathOf(id)) }, needs: [], meta: {} })
    return { materials: await Promise.all(recorded.materials.map(({ id }) => look(id))), observations: [] }
  },

  async foreman(blueprint, floorplan) {
    const differences = diffMaterials(blueprint.materials, floorplan.materials)
    const remodels: RemodelDraft[] = differences
      .filter(({ how }) => how !== 'delete')
      .map((difference) => ({
        ...draft('write-file', difference, difference.how === 'create' ? 'create' : 'update'),
        permit: difference.id,
        input: { path: pathOf(difference.id), content: blueprint.strategy[difference.id] ?? '' },
      }))
    const permits = remodels.map(({ material }) => ({ name: material, windows: ['write'] }))
    const removed = differences.filter(({ how }) => how === 'delete')
    if (removed.length > 0) {
      // Nothing old goes before everything new is there; one barrier instead of n times m needs.
      const id = 'all files are written'
      const needs = remodels.map((remodel) => remodel.id)
      const barrier = { id, step: 'barrier', action: 'barrier', material: 'files/all', title: id, reasons: [] } as const
      remodels.push({ ...barrier, reasons: [], stage: 'Removing files', needs })
      for (const difference of removed) {
        const input = { path: pathOf(difference.id) }
        remodels.push({ ...draft('remove-file', difference, 'delete'), needs: [id], destructive: true, input })
      }
    }
    return { remodels, windows: [{ name: 'write', limit: 4 }], permits, notes: [] }
  },
})

function draft(step: string, { id, changes }: Difference, action: 'create' | 'update' | 'delete'): RemodelDraft {
  const code = { create: 'file-is-new', delete: 'file-is-not-wanted', update: 'content-changed' }[action]
  const stage = step === 'write-file' ? 'Writing files' : 'Removing files'
  const heading = { verb: step === 'write-file' ? 'write file' : 'remove file', subject: pathOf(id), stage }
  const draft = { id: `${step} ${id}`, step, action, material: id, ...heading }
  return { ...draft, reasons: [{ code }], changes, deadlineSeconds: 60 }
}

export const steps = {
  'write-file': defineStep({
    input: z.object({ path: z.string(), content: z.string() }),
    async look(context, { path, content }) {
      return (await digestAt(path)) === digest(content) ? result(context, digest(content)) : null
    },
    async apply(context, { path, content }) {
      context.say('writing')
      await fenced(context, path, 'cat >"$0.new" && sync "$0.new" && mv -f "$0.new" "$0"', content)
      await failpoint('write-file.written')
    },
    async verify(context, { path, content }) {
      if ((await digestAt(path)) === digest(content)) return result(context, digest(content))
      throw new RemodelError('infrastructure', `${path} is not as it was written`)
    },
  }),
  'remove-file': defineStep({
    input: z.object({ path: z.string() }),
    look: async (context, { path }) => ((await digestAt(path)) === null ? result(context, null) : null),
    async apply(context, { path }) {
      await fenced(context, path, 'rm -f "$0"')
      await failpoint('remove-file.removed')
    },
    async verify(context, { path }) {
      if ((await digestAt(path)) === null) return result(context, null)
      throw new RemodelError('infrastructure', `${path} is still there`)
    },
  }),
}

function result({ material }: StepContext, found: string | null) {
  return { floorplan: { [material]: found === null ? null : { attributes: { digest: found }, needs: [], meta: {} } } }
}

/**
 * Fence and effect are one step under a lock of the kernel's, in a process of its own: a paused
 * worker cannot part them.
 */
async function fenced({ fence, signal }: StepContext, path: string, effect: string, input = ''): Promise<void> {
  const directory = dirname(path)
  const file = join(directory, `.${basename(path)}.fence`)
  const script = `last=$(cut -d' ' -f1 "$1" 2>/dev/null); [ "$2" -ge "\${last:-0}" ] || exit 75
    echo "$2 $3" >"$1.new" && mv -f "$1.new" "$1" && ${effect}`
  await mkdir(directory, { recursive: true })
  const argv = ['-w', '10', directory, 'sh', '-c', script, path, file, String(fence.number), fence.scope]
  const { exitCode, stderr } = await execa('flock', argv, { input, reject: false, cancelSignal: signal })
  if (exitCode === 75) throw new RemodelError('superseded', `${path} has seen a higher fence than ${fence.number}`)
  if (exitCode !== 0) throw new RemodelError('infrastructure', `${path} cannot be changed: ${stderr}`)
}
