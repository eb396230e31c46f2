import { describe, expect, test } from 'vitest'
import type { Strategy } from '../../../kinds/deployment/plan/strategy.ts'
import { describeFault, RemodelError } from '../../../shared/runtime/errors.ts'
import { document, kind } from './planning.ts'
import { cloudText, given, manifestText } from './shop.ts'

/** How packages are compiled with this `compilation` block, and what `public`, a vm extension, adds to a machine. */
function compiling(block: string, extension = 'public: true'): Strategy['compile'] {
  const line = 'compilation: {workers: 2, az: z1, network: net, vm_type: large}'
  expect(cloudText).toContain(line)
  const cloud = cloudText
    .replace(line, `compilation: {workers: 2, az: z1, network: net, ${block}}`)
    .replace('{public: true}', `{${extension}}`)
  return (kind.architect(document('shop.yml', manifestText), given(cloud)).strategy as unknown as Strategy).compile
}

describe('the compilation block', () => {
  test('says what a machine may use, by type or by resources', () => {
    expect(compiling('vm_type: large')).toEqual({
      workers: 2,
      reuse: false,
      resources: { cpus: 4, memoryMiB: 4096 },
    })
    const resources = 'vm_resources: {cpu: 2, ram: 1024, ephemeral_disk_size: 2048}, reuse_compilation_vms: true'
    expect(compiling(resources)).toMatchObject({ reuse: true, resources: { cpus: 2, memoryMiB: 1024, diskMiB: 2048 } })
  })

  test('opens the network and limits the time only where a cloud property says so, wherever it stands', () => {
    expect(compiling('cloud_properties: {network: host, time_limit: 600}')).toMatchObject({
      network: 'host',
      deadlineSeconds: 600,
    })
    const extended = 'vm_type: large, vm_extensions: [public]'
    expect(compiling(extended, 'network: host')).toMatchObject({ network: 'host', resources: { cpus: 4 } })
    // The network of some other cloud is not ours to understand.
    expect(compiling(extended, 'network: default')).not.toHaveProperty('network')
  })

  test('refuses a time limit that is none', () => {
    let said = ''
    try {
      compiling('cloud_properties: {time_limit: soon}')
    } catch (error) {
      if (error instanceof RemodelError) said = error.faults.map(describeFault).join('\n')
    }
    expect(said).toContain('compilation: time_limit of compilation is not a number of seconds (found "soon")')
  })

  test('takes orphan_workers', () => {
    expect(compiling('vm_type: large, orphan_workers: true').orphan).toBe(true)
    expect(compiling('vm_type: large, orphan_workers: false')).not.toHaveProperty('orphan')
  })
})
