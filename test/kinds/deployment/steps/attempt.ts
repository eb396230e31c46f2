import type { z } from 'zod'
import type { Step, StepContext, StepResult } from '../../../../kinds/contract/step.ts'

/** One attempt at a step, as a worker makes it. `parts` are those of a context that the step uses. */
export async function attempt<Schema extends z.ZodType>(
  step: Step<Schema>,
  parts: Partial<StepContext>,
  input: z.infer<Schema>,
): Promise<StepResult> {
  const context = { say: () => {}, ...parts } as StepContext
  const there = await step.look(context, input)
  if (there) return there
  await step.apply(context, input)
  return step.verify(context, input)
}
