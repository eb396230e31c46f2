import { expect, it } from 'vitest'
import { TemplateRenderer } from '../../../../kinds/deployment/render/renderer.ts'
import { temporaryBlobs } from './blobs.ts'
import { contextOf, putJob } from './job.ts'

const COUNT = 1000

it('renders a thousand instances, the figures are printed', async () => {
  const { blobs, remove } = await temporaryBlobs()
  const renderer = new TemplateRenderer({ blobs, threads: 2 })
  try {
    const job = await putJob(blobs, {
      templates: {
        'config.yml.erb':
          'port: <%= p("port") %>\nid: <%= spec.id %>\n<% p("hosts").each do |host| -%>\n- <%= host %>\n<% end -%>\n',
        'ctl.erb':
          '#!/bin/sh\n<% if_p("tls.cert") do |cert| %>CERT=<%= cert %><% end.else do %>PLAIN=1<% end %>\nexec run <%= name %>/<%= index %>\n',
      },
    })
    const requests = (offset: number) =>
      Array.from({ length: COUNT }, (_, index) => {
        const context = contextOf({ port: 8000, hosts: ['a', 'b', 'c'], tls: { cert: null } })
        context.spec = { ...context.spec, index: index + offset, id: `id-${index + offset}` }
        return { job, context, place: {} }
      })
    const timed = async (what: string, work: () => Promise<unknown>) => {
      const start = performance.now()
      await work()
      console.info(`${what}: ${Math.round(performance.now() - start)} ms`)
    }
    await timed(`${COUNT} different, threads not started`, () => renderer.render(requests(0)))
    await timed(`${COUNT} different, threads running`, () => renderer.render(requests(COUNT)))
    await timed(`${COUNT} different again`, () => renderer.render(requests(2 * COUNT)))
    const before = renderer.rendered
    await timed(`${COUNT} known`, () => renderer.render(requests(COUNT)))
    await timed(`${COUNT} equal`, () =>
      renderer.render(requests(5 * COUNT).map((request, _, all) => ({ ...request, context: all[0]!.context }))),
    )
    expect(renderer.rendered - before).toBe(1)
  } finally {
    await renderer.close()
    await remove()
  }
}, 60_000)
