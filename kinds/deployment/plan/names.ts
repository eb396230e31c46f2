/** Ids of materials and names of instances; the only place where they are put together and taken apart. */

/** `web/0`: how people name an instance. */
export function instanceName(group: string, index: number): string {
  return `${group}/${index}`
}

export const instanceId = (group: string, index: number) => `instance/${group}/${index}`
export const diskId = (group: string, index: number) => `disk/${group}/${index}`
export const vmId = (cid: string) => `vm/${cid}`
export const tableId = (deployment: string) => `addresses/${deployment}`
/** That the post-deploy scripts have run for what stands. */
export const postDeployId = (deployment: string) => `post-deploy/${deployment}`
export const packageId = (name: string, key: string) => `package/${name}/${shortKey(key)}`

/** The first 12 hex digits of a digest or key, with or without its `sha256:`. */
export function shortKey(key: string): string {
  return key.slice(key.indexOf(':') + 1).slice(0, 12)
}

/** `instance/web/0` or `disk/web/0` -> group and index; null for anything else. */
export function parseSlot(id: string): { group: string; index: number } | null {
  const [from, to] = [id.indexOf('/'), id.lastIndexOf('/')]
  const index = Number(id.slice(to + 1))
  return to > from && Number.isInteger(index) ? { group: id.slice(from + 1, to), index } : null
}

/** Whether one of a job's templates is rendered to this file of the job's directory. */
export function rendersTo(templates: Readonly<Record<string, string>>, file: string): boolean {
  const plain = (path: string) =>
    path
      .split('/')
      .filter((part) => part !== '' && part !== '.')
      .join('/')
  return Object.values(templates).some((path) => plain(path) === file)
}
