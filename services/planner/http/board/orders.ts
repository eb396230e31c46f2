import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import { SourceDocument } from '../../../../shared/source/document.ts'

const hidden = '***'
/** Values that are shown, where every key above them is one that leads on. */
const shown = new Set([
  ...[
    'name',
    'version',
    'sha1',
    'release',
    'alias',
    'os',
    'az',
    'azs',
    'instances',
    'lifecycle',
    'stemcell',
    'vm_type',
    'type',
  ],
  ...[
    'persistent_disk',
    'persistent_disk_type',
    'default',
    'static_ips',
    'range',
    'gateway',
    'dns',
    'reserved',
    'static',
    'dynamic',
  ],
  ...[
    'canaries',
    'max_in_flight',
    'canary_watch_time',
    'update_watch_time',
    'serial',
    'vm_strategy',
    'kind',
    'id',
    'address',
  ],
  ...[
    'database_name',
    'username',
    'host_id',
    'host_ids',
    'primary_host_id',
    'port',
    'workers',
    'reuse_compilation_vms',
    'vm_resources',
  ],
])
/** Keys whose maps and lists are walked. Values below any other key are hidden whole: properties, variables, env. */
const ways = new Set([
  ...[
    'instance_groups',
    'jobs',
    'networks',
    'releases',
    'stemcells',
    'update',
    'azs',
    'vm_types',
    'disk_types',
    'vm_extensions',
  ],
  ...[
    'subnets',
    'compilation',
    'nodes',
    'hosts',
    'database_users',
    'users',
    'cpu',
    'memory',
    'disk_size',
    'compiled_package_cache',
  ],
])

/**
 * An order of `deploys` as the board shows it: what it deploys can be read, and every value that may be a secret is
 * `***`. By what may be shown, not by what sounds like a password: a property may be called anything.
 */
export function maskOrder(order: unknown): unknown {
  if (!isMap(order)) return hidden
  const files = (value: unknown): unknown => (Array.isArray(value) ? value.map(file) : hidden)
  const known: Record<string, (value: unknown) => unknown> = {
    manifest: file,
    cloudConfigs: files,
    releases: (value) => value,
    options: (value) => value,
    by: (value) => value,
    holder: (value) => value,
    message: (value) => value,
  }
  return Object.fromEntries(Object.entries(order).map(([key, value]) => [key, known[key]?.(value) ?? hidden]))
}

function file(value: unknown): unknown {
  if (!isMap(value) || typeof value.content !== 'string') return hidden
  return { name: value.name, content: maskText(value.content) }
}

/** Reading holds up everything else; of a longer document the user has the file. */
const longest = 200_000

function maskText(text: string): unknown {
  if (text.length > longest) return `${text.length} characters: too long to be shown here`
  try {
    return maskValue(new SourceDocument('job', text).value)
  } catch {
    return 'no YAML, so it is not shown'
  }
}

function maskValue(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => maskValue(one, key))
  if (!isMap(value)) return shown.has(key) ? value : hidden
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (!isMap(one) && !(Array.isArray(one) && one.some((part) => isMap(part) || Array.isArray(part))))
        return [name, maskValue(one, name)]
      return [name, ways.has(name) ? maskValue(one, name) : hidden]
    }),
  )
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

type Jobs = Awaited<ReturnType<BullMQAdapter['getJobs']>>

/** The queue `deploys`: why an order was refused may quote a value of its manifest. */
export class OrdersAdapter extends BullMQAdapter {
  override async getJobs(...asked: Parameters<BullMQAdapter['getJobs']>): Promise<Jobs> {
    return (await super.getJobs(...asked)).map(withoutQuotes)
  }

  override async getJob(id: string): ReturnType<BullMQAdapter['getJob']> {
    const job = await super.getJob(id)
    return job && withoutQuotes(job)
  }
}

function withoutQuotes<Job extends Jobs[number]>(job: Job): Job {
  const shownOf = (text: string) => text.replaceAll(/\(found .*/g, `(found ${hidden})`)
  if (job.failedReason) job.failedReason = shownOf(job.failedReason)
  if (job.stacktrace) job.stacktrace = job.stacktrace.map(shownOf)
  return job
}
