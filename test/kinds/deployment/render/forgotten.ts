// Renders once and does not close: the process must end all the same.
import { TemplateRenderer } from '../../../../kinds/deployment/render/renderer.ts'
import { temporaryBlobs } from './blobs.ts'
import { contextOf, putJob } from './job.ts'

const { blobs, remove } = await temporaryBlobs()
const renderer = new TemplateRenderer({ blobs, threads: 1 })
const job = await putJob(blobs, { templates: { 'x.erb': '<%= p("port") %>' } })
const { files } = await renderer.renderFiles({ job, context: contextOf({ port: 8080 }), place: {} })
await remove()
process.stdout.write(files.map(({ content }) => content.toString()).join())
