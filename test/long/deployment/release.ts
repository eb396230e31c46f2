import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Jobs whose monit files, users and pidfiles are properties, so that one release serves all histories. */
export const jobs = ['one', 'two', 'three']

const monit = (job: string, of: string) => `<% p('${of}').each do |name| %>
check process <%= name %> with pidfile <%= p('pids') %>/<%= name %>.pid
  start program "/var/vcap/jobs/${job}/bin/ctl start <%= name %>" as uid <%= p('user') %> and gid <%= p('user') %>
  stop program "/var/vcap/jobs/${job}/bin/ctl stop <%= name %>"
<% end %>`

/** Takes a live process for its own, as many start scripts do. */
const ctl = `#!/bin/bash
pidfile="<%= p('pids') %>/$2.pid"
case $1 in
  start)
    [ -e "$pidfile" ] && kill -0 "$(cat "$pidfile")" 2>/dev/null && exit 0
    setsid sleep 100000 </dev/null >/dev/null 2>&1 &
    echo $! >"$pidfile" ;;
  stop) kill "$(cat "$pidfile")" ;;
esac
`

const preStart = `#!/bin/bash
mkdir -p "<%= p('pids') %>" && chown -R "<%= p('user') %>" "<%= p('pids') %>"
# Takes process numbers, and leaves what keeps its output open.
for i in $(seq <%= p('others') %>); do setsid sleep 99999 & done
exit 0
`

const postDeploy = `#!/bin/bash
date +%s%N >> /var/vcap/data/deployed
`

/** Writes the sources of the release to a folder. */
export async function writeRelease(folder: string): Promise<void> {
  const put = async (path: string, content: string) => {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  await put('config/final.yml', 'name: histories\n')
  for (const job of jobs) {
    const templates = {
      'ctl.erb': 'bin/ctl',
      'pre-start.erb': 'bin/pre-start',
      'more.erb': 'more.monit',
      ...(job === 'two' ? { 'post-deploy.erb': 'bin/post-deploy' } : {}),
    }
    const properties = { pids: {}, user: {}, others: { default: 0 }, main: { default: [] }, more: { default: [] } }
    await put(`jobs/${job}/spec`, JSON.stringify({ name: job, templates, packages: [], properties }))
    await put(`jobs/${job}/monit`, monit(job, 'main'))
    await put(`jobs/${job}/templates/more.erb`, monit(job, 'more'))
    await put(`jobs/${job}/templates/ctl.erb`, ctl)
    await put(`jobs/${job}/templates/pre-start.erb`, preStart)
    if (job === 'two') await put(`jobs/${job}/templates/post-deploy.erb`, postDeploy)
  }
}
