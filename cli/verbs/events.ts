import type { Event, EventFilter } from '../../shared/api/schemas/event.ts'
import { RemodelError } from '../../shared/runtime/errors.ts'
import { wholeNumber } from '../arguments.ts'
import { followEvents } from '../follow.ts'
import { exit, type Verb } from '../verb.ts'
import { eventLine } from '../views/event.ts'

const events: Verb<{ follow?: boolean; after?: number } & EventFilter> = {
  configure(command) {
    command
      .argument('<deployment>')
      .option('-f, --follow', 'go on showing events, until Ctrl-C')
      .option('--after <seq>', 'only events after this number', wholeNumber(0))
      .option('--plan <id>', 'only events of this plan')
      .option('--code <code>', 'only events about this error, such as job-failed')
      .option('--reason <code>', 'only events of remodels that are in their plan for this reason')
  },
  examples: [
    ['events web', 'everything that happened to web'],
    ['events web --reason stemcell-changed', 'what a new stemcell has brought about'],
    ['events web --follow --after 120 --json', 'a stream for machines that goes on where one left off'],
  ],
  async run(context, [deployment = ''], options) {
    const client = await context.client()
    const filter = {
      ...(options.after === undefined ? {} : { after: options.after }),
      ...(options.plan === undefined ? {} : { plan: options.plan }),
      ...(options.code === undefined ? {} : { code: options.code }),
      ...(options.reason === undefined ? {} : { reason: options.reason }),
    }
    const show = (event: Event) => (context.json ? context.line(event) : context.say(eventLine(event, context.style)))
    if (!options.follow) {
      const first = await client.events(deployment, filter)
      if (first.length === 0 && !(await client.deployments()).some(({ name }) => name === deployment))
        throw new RemodelError(
          'not-found',
          `nothing has happened under the name ${deployment}: remodel deployments lists all`,
        )
      // Throws where there is no such plan.
      if (first.length === 0 && options.plan !== undefined) await client.planView(options.plan)
      for (let page = first; page.length > 0; ) {
        for (const event of page) show(event)
        page = await client.events(deployment, { ...filter, after: page.at(-1)!.seq })
      }
      return exit.done
    }
    const left = new AbortController()
    process.once('SIGINT', () => left.abort())
    const watcher = {
      lost: () => context.remark('the planner does not answer; trying again'),
      found: () => context.remark('the planner answers again'),
    }
    for await (const event of followEvents(client, { deployment, ...filter }, watcher, left.signal)) show(event)
    return exit.done
  },
}

export default events
