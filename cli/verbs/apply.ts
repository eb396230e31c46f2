import { existsSync } from 'node:fs'
import { z } from 'zod'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { wholeNumber } from '../arguments.ts'
import { applyAndWatch } from '../carry-out.ts'
import { readSource } from '../files.ts'
import { verdictIfUnchanged } from '../unchanged.ts'
import { exit, type Verb } from '../verb.ts'
import { readPlan } from '../views/plan.ts'
import { deviationLines } from '../views/result.ts'

const SavedPlan = z.object({ remodel: z.literal('saved-plan'), id: z.string(), digest: z.string() })

const apply: Verb<{ waitLock?: number }> = {
  configure(command) {
    command
      .argument('<plan>', 'file of `plan --out`, or id of a plan')
      .option('--wait-lock <seconds>', 'how long to wait for a deployment that is locked', wholeNumber(0))
  },
  examples: [
    ['apply web.plan', 'carry out what `plan --out web.plan` saved'],
    ['apply p3f2a91c04d7e', 'the same by id; refused where the floorplan has moved since'],
  ],
  async run(context, [text = ''], options) {
    const saved = existsSync(text) || !/^p[0-9a-f]+$/.test(text) ? await readSaved(text) : undefined
    const client = await context.client()
    const view = await client.planView(saved?.id ?? text)
    if (saved && saved.digest !== view.plan.digest) {
      throw new RemodelError('conflict', `${text} is not the plan ${saved.id} that the planner has: plan again`)
    }
    const verdict = await verdictIfUnchanged(view.plan, context)
    if (verdict) {
      const deviates = verdict.deviations.length > 0
      context.say(readPlan(view.plan, { barriers: false, deviates }).verdict)
      for (const line of deviationLines(verdict, context.style)) context.say(line)
      const { status } = view
      if (context.json) context.line({ type: 'result', result: 'unchanged', plan: view.plan.id, status, verdict })
      return deviates ? exit.failed : exit.done
    }
    context.say(context.style.bold(readPlan(view.plan, { barriers: false }).verdict))
    return applyAndWatch(view, context, { waitLock: options.waitLock ?? 0 })
  },
}

export default apply

async function readSaved(file: string): Promise<z.infer<typeof SavedPlan>> {
  const { content } = await readSource(file)
  const parsed = SavedPlan.safeParse(tryJson(content))
  if (parsed.success) return parsed.data
  throw new RemodelError(
    'invalid-input',
    `${file} is no saved plan: write one with \`remodel plan FILE --out ${file}\``,
  )
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
