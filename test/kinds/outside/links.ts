import { execFile } from 'node:child_process'
import { readlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import {
  type Difference,
  defineAction,
  defineKind,
  defineStep,
  diffMaterials,
  materialName,
  type RemodelDraft,
  RemodelError,
  type StepContext,
} from 'remodel/sdk'
import { z } from 'zod'

/**
 * Symbolic links in a directory, as a package of its own: nothing of Remodel is imported but `remodel/sdk`.
 * `link/srv/www/current` is the link `/srv/www/current`; `.current.fence` beside it has the highest fence
 * that was shown for it.
 */
export const name = 'links'

const Document = z.strictObject({
  kind: z.literal('links'),
  name: z.string(),
  directory: z.string().startsWith('/', 'must be an absolute path'),
  links: z.record(z.string().regex(/^[^/.][^/]*$/, 'must be a name'), z.string()),
})

const pathOf = (id: string) => `/${materialName(id)}`
const targetAt = (path: string): Promise<string | null> => readlink(path).catch(() => null)

export const kind = defineKind({
  name,
  strategy: z.strictObject({}),
  recognises: ({ value }) => value !== null && typeof value === 'object' && Reflect.get(value, 'kind') === name,
  deploymentName: (document) => document.parse(Document).name,
  nothing: (deployment) => ({ deployment, kind: name, materials: [], strategy: {} }),

  architect(document) {
    const { name: deployment, directory, links } = document.parse(Document)
    const materials = Object.entries(links).map(([link, target]) => ({
      id: `link${join(directory, link)}`,
      attributes: { target },
      needs: [],
    }))
    return { deployment, kind: name, materials, strategy: {} }
  },

  async inspector(_blueprint, { recorded }) {
    const materials = recorded.materials.map(async ({ id, attributes }) => {
      const target = await targetAt(pathOf(id))
      return { id, attributes: { target }, needs: [], meta: { recorded: attributes.target ?? null } }
    })
    return { materials: await Promise.all(materials), observations: [] }
  },

  async foreman(blueprint, floorplan) {
    const differences = diffMaterials(blueprint.materials, floorplan.materials)
    const targets = new Map(blueprint.materials.map(({ id, attributes }) => [id, String(attributes.target)]))
    return { remodels: differences.map((one) => draft(one, targets.get(one.id))), windows: [], permits: [], notes: [] }
  },

  actions: {
    /** Brings links back that were changed by hand, without the document. */
    relink: defineAction({
      input: z.strictObject({ links: z.array(z.string()) }),
      plan({ materials }, { links }) {
        const chosen = materials.filter(({ id }) => links.includes(basename(id)))
        if (chosen.length < links.length) throw new RemodelError('not-found', 'there is no such link')
        const remodels = chosen.map(({ id, meta }) =>
          draft({ id, how: 'update', changes: [] }, String(meta.recorded), 'asked-for'),
        )
        return { remodels, windows: [], permits: [], notes: [] }
      },
    }),
  },
})

type Wanted = Pick<Difference, 'id' | 'how' | 'changes'>

function draft({ id, how, changes }: Wanted, target?: string, code = 'document-changed'): RemodelDraft {
  const step = target === undefined ? 'unlink' : 'link'
  const path = pathOf(id)
  const input = target === undefined ? { path } : { path, target }
  const shown = { verb: step, subject: path, stage: 'Links', reasons: [{ code }] }
  return { id: `${step} ${id}`, step, action: how, material: id, ...shown, changes, input, deadlineSeconds: 60 }
}

export const steps = {
  link: defineStep({
    input: z.object({ path: z.string(), target: z.string() }),
    look: async (context, { path, target }) => ((await targetAt(path)) === target ? actual(context, target) : null),
    apply: (context, { path, target }) => fenced(context, path, 'ln -sfn "$4" "$0"', target),
    async verify(context, { path, target }) {
      if ((await targetAt(path)) === target) return actual(context, target)
      throw new RemodelError('infrastructure', `${path} does not lead to ${target}`)
    },
  }),
  unlink: defineStep({
    input: z.object({ path: z.string() }),
    look: async (context, { path }) => ((await targetAt(path)) === null ? actual(context, null) : null),
    apply: (context, { path }) => fenced(context, path, 'rm -f "$0"', ''),
    async verify(context, { path }) {
      if ((await targetAt(path)) === null) return actual(context, null)
      throw new RemodelError('infrastructure', `${path} is still there`)
    },
  }),
}

function actual({ material }: StepContext, target: string | null) {
  return { floorplan: { [material]: target === null ? null : { attributes: { target }, needs: [], meta: {} } } }
}

/** Fence and effect under one lock of the kernel's: a worker that was paused is refused. */
async function fenced({ fence, signal }: StepContext, path: string, effect: string, target: string): Promise<void> {
  const file = join(dirname(path), `.${basename(path)}.fence`)
  const script = `last=$(cut -d' ' -f1 "$1" 2>/dev/null); [ "$2" -ge "\${last:-0}" ] || exit 75
    echo "$2 $3" >"$1" && ${effect}`
  const words = ['sh', '-c', script, path, file, String(fence.number), fence.scope, target]
  await promisify(execFile)('flock', [dirname(path), ...words], { signal }).catch((error: { code?: unknown }) => {
    if (error.code === 75) throw new RemodelError('superseded', `${path} has seen a higher fence than ${fence.number}`)
    throw new RemodelError('infrastructure', `${path} cannot be changed`, { cause: error })
  })
}
