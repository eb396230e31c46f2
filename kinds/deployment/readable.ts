import type { Readable } from '../contract/readable.ts'

/** Properties, variables and `env` may hold secrets under any name: they are in neither list. */
export const readable: Readable = {
  walked: [
    ...['instance_groups', 'jobs', 'networks', 'releases', 'stemcells', 'update'],
    ...['azs', 'vm_types', 'disk_types', 'vm_extensions', 'subnets', 'compilation', 'vm_resources'],
  ],
  shown: [
    ...['name', 'version', 'sha1', 'release', 'alias', 'os', 'az', 'azs', 'instances', 'lifecycle', 'stemcell'],
    ...['vm_type', 'type', 'persistent_disk', 'persistent_disk_type', 'default', 'static_ips', 'address'],
    ...['range', 'gateway', 'dns', 'reserved', 'static', 'workers', 'reuse_compilation_vms'],
    ...['cpu', 'ram', 'ephemeral_disk_size', 'disk_size'],
    ...['canaries', 'max_in_flight', 'canary_watch_time', 'update_watch_time', 'serial', 'vm_strategy'],
  ],
}
