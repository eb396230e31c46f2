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
 * A small kind that does everything: files in a directory. An extension (REMODEL_EXTENSIONS), explained in
 * docs/design/kinds.md. `file/srv/www/index.html` is the file `/srv/www/index.html`. Beside it lies
 * `.index.html.fence`, the highest fence that was ever shown for the file and for whom. It stays when the file goes:
 * a writer that wakes up late is refused even then.
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

  /** The recorded files, with the content they have now: one that was changed or removed by hand is written again. */
  async inspector(_blueprint, { recorded }) {
    const look = async (id: string) => ({ id, attributes: { digest: await digestAt(pathOf(id)) }, needs: [], meta: {} })
    return { materials: await Promise.all(recorded.materials.map(({ id }) => look(id))), observations: [] }
  },

  async foreman(blueprint, floorplan) {
    const differences = diffMaterials(blueprint.materials, floorplan.materials)
    const remodels: RemodelDraft[] = differences
      .filter(({ how }) => how !== 'delete')
      .map((difference) => ({
        ...draft(difference),
        permit: difference.id,
        input: { path: pathOf(difference.id), content: blueprint.strategy[difference.id] ?? '' },
      }))
    const permits = remodels.map(({ material }) => ({ name: material, windows: ['write'] }))
    const removed = differences.filter(({ how }) => how === 'delete')
    if (removed.length > 0) {
      // Nothing old goes before everything new is there; one barrier instead of n times m needs.
      const [id, needs] = ['all files are written', remodels.map((remodel) => remodel.id)]
      const barrier = { step: 'barrier', action: 'barrier', material: 'files/all', stage: 'Removing files' } as const
      remodels.push({ ...barrier, id, title: id, reasons: [], needs })
      for (const difference of removed) {
        const input = { path: pathOf(difference.id) }
        remodels.push({ ...draft(difference), needs: [id], destructive: true, input })
      }
    }
    return { remodels, windows: [{ name: 'write', limit: 4 }], permits, notes: [] }
  },
})

const codes = { create: 'file-is-new', update: 'content-changed', delete: 'file-is-not-wanted' }

function draft({ id, how, changes }: Difference): RemodelDraft {
  const [verb, stage] = how === 'delete' ? ['remove', 'Removing files'] : ['write', 'Writing files']
  const step = { id: `${verb}-file ${id}`, step: `${verb}-file`, action: how, material: id, deadlineSeconds: 60 }
  return { ...step, verb: `${verb} file`, subject: pathOf(id), stage, reasons: [{ code: codes[how] }], changes }
}

export const steps = {
  'write-file': defineStep({
    input: z.object({ path: z.string(), content: z.string() }),
    look: (context, { path, content }) => found(context, path, digest(content)),
    async apply(context, { path, content }) {
      context.say('writing')
      await fenced(context, path, 'cat >"$0.new" && sync "$0.new" && mv -f "$0.new" "$0"', content)
      await failpoint('write-file.written')
    },
    verify: async (context, { path, content }) => (await found(context, path, digest(content))) ?? lost(path),
  }),
  'remove-file': defineStep({
    input: z.object({ path: z.string() }),
    look: (context, { path }) => found(context, path, null),
    async apply(context, { path }) {
      await fenced(context, path, 'rm -f "$0"')
      await failpoint('remove-file.removed')
    },
    verify: async (context, { path }) => (await found(context, path, null)) ?? lost(path),
  }),
}

/** The result of a step that leaves a file with this digest, or with null none; null where it is not so. */
async function found({ material }: StepContext, path: string, wanted: string | null) {
  if ((await digestAt(path)) !== wanted) return null
  return { floorplan: { [material]: wanted === null ? null : { attributes: { digest: wanted }, needs: [], meta: {} } } }
}

function lost(path: string): never {
  throw new RemodelError('infrastructure', `${path} is not as it was left`)
}

/** Fence and effect are one step under a lock of the kernel's, in a process of its own: no paused worker parts them. */
async function fenced({ fence, signal }: StepContext, path: string, effect: string, input = ''): Promise<void> {
  const [directory, file] = [dirname(path), join(dirname(path), `.${basename(path)}.fence`)]
  const script = `last=$(cut -d' ' -f1 "$1" 2>/dev/null); [ "$2" -ge "\${last:-0}" ] || exit 75
    echo "$2 $3" >"$1.new" && mv -f "$1.new" "$1" && ${effect}`
  await mkdir(directory, { recursive: true })
  const argv = ['-w', '10', directory, 'sh', '-c', script, path, file, String(fence.number), fence.scope]
  const { exitCode, stderr } = await execa('flock', argv, { input, reject: false, cancelSignal: signal })
  if (exitCode === 75) throw new RemodelError('superseded', `${path} has seen a higher fence than ${fence.number}`)
  if (exitCode !== 0) throw new RemodelError('infrastructure', `${path} cannot be changed: ${stderr}`)
}
