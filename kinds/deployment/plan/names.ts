import { materialName } from '../../../shared/model/material.ts'

/** Ids of materials and names of instances; the only place where they are put together and taken apart. */

/** Where an instance is, and the disk that it has. */
export interface Slot {
  readonly group: string
  readonly index: number
}

/** `web/0`: how people name an instance. */
export function instanceName(group: string, index: number): string {
  return `${group}/${index}`
}

export const instanceId = (group: string, index: number) => `instance/${group}/${index}`
export const diskId = (group: string, index: number) => diskIdOf(instanceName(group, index))
/** Of an instance by its name: `web/0`. */
export const diskIdOf = (instance: string) => `disk/${instance}`
export const groupId = (group: string) => `group/${group}`
export const vmId = (cid: string) => `vm/${cid}`
export const tableId = (deployment: string) => `addresses/${deployment}`
/** Records that the post-deploy scripts have run for the present instances. */
export const postDeployId = (deployment: string) => `post-deploy/${deployment}`
export const packageId = (name: string, key: string) => `package/${name}/${shortKey(key)}`

/** The first 12 hex digits of a digest or key, with or without its `sha256:`. */
export function shortKey(key: string): string {
  return key.slice(key.indexOf(':') + 1).slice(0, 12)
}

/** `instance/web/0` or `disk/web/0` -> group and index; null for anything else. */
export function slotOf(id: string): Slot | null {
  const name = materialName(id)
  const at = name.lastIndexOf('/')
  const index = Number(name.slice(at + 1))
  return at >= 0 && Number.isInteger(index) ? { group: name.slice(0, at), index } : null
}

/** What an instance runs of a job, as its attributes say it: `<release>/<fingerprint>`. */
export interface JobForm {
  readonly release: string
  readonly fingerprint: string
}

export const jobForm = ({ release, fingerprint }: JobForm) => `${release}/${fingerprint}`

export function jobFormOf(text: string): JobForm {
  const at = text.lastIndexOf('/')
  return { release: text.slice(0, at), fingerprint: text.slice(at + 1) }
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
