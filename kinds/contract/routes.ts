import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'

import type { PlanView } from '../../shared/api/schemas/plan.ts'
import type { Ledger } from '../../shared/ledger/ledger.ts'
import type { Provider } from '../../shared/provider/provider.ts'
import type { Stores } from './stores.ts'

/** A server whose routes are typed by their zod schemas. */
export type Routes = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** What the routes of a kind are made with. */
export interface RouteParts {
  ledger: Ledger
  stores: Stores
  provider: Provider
  /** Draws and stores the plan of an action of the deployment's kind; throws what `Action.plan` throws. */
  drawAction(deployment: string, action: string, input: unknown): Promise<PlanView>
}
