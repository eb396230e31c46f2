import { RemodelError } from '../../../shared/runtime/errors.ts'
import { defineStep } from '../../contract/step.ts'
import { inputs } from '../inputs.ts'
import { positionOrigin } from '../postgres/names.ts'
import { onPrimary } from '../server/primary.ts'
import { recorded } from '../server/record.ts'

/** How far the copy of a new node had come with what the provider writes: kept on the node when it was populated. */
export default defineStep({
  input: inputs['read-position'],
  look: async () => null,
  apply: async () => {},
  async verify(context, input) {
    const { provider, subscriber, database, members } = input
    const position = await onPrimary(context, members[subscriber] ?? [], database, (session) =>
      session.value(
        `SELECT coalesce(pg_replication_origin_progress(roname, true), '0/0')::text FROM pg_replication_origin WHERE roname = $1`,
        [positionOrigin(provider)],
      ),
    )
    if (position === null)
      throw new RemodelError('infrastructure', `${subscriber} does not know its place at ${provider}`)
    return recorded(context, input, { position: String(position) })
  },
})
