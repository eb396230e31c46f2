import { readlinkSync } from 'node:fs'
import { glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { errorLines } from '../../cli/views/result.ts'
import { createStyle } from '../../cli/views/style.ts'
import type { Client } from '../../shared/api/client.ts'
import { asHost } from '../support/inside.ts'
import { OwnRelease } from '../support/packaging.ts'
import { settled, startServices, type TestStack } from '../support/services.ts'
import { effectsOf, planSmall, removeSmall, type SmallOptions, uploadSmall } from '../support/small.ts'

/** One compiler: what is tried again is tried there again, on another VM. */
let stack: TestStack
let client: Client
let release: OwnRelease
let stemcells = 3

beforeAll(async () => {
  stack = await startServices({ planner: 1, compiler: 1, assembler: 1 })
  client = stack.client()
  await uploadSmall(client)
  release = await OwnRelease.copy()
})
afterAll(async () => {
  await stack?.stop()
  await release?.remove()
})

const generous = { timeout: 45_000 }
const install = (name: string) =>
  `mkdir -p $BOSH_INSTALL_TARGET/share; cp ${name}/text $BOSH_INSTALL_TARGET/share/${name}\n`
const sound = Object.fromEntries(['app', 'base', 'extra', 'lib', 'tool'].map((name) => [name, install(name)]))

/** A stemcell without compiled packages, so all packages and all VMs are new. */
async function freshStemcell(): Promise<string> {
  const version = String(++stemcells)
  await client.addStemcell({ name: 'local', os: 'local', version })
  return version
}

/** Deploys with these packaging scripts; the others just install. */
async function deploy(name: string, scripts: Record<string, string>, more: SmallOptions = {}) {
  const version = await release.with(client, { ...sound, ...scripts })
  const stemcell = await freshStemcell()
  const net = 100 + stemcells
  const { plan } = await planSmall(client, { name, net, instances: 1, stemcell, release: version, ...more })
  await client.apply(plan.id, {})
  return {
    plan: plan.id,
    ended: () => settled(client, plan.id),
    status: async () => (await client.planView(plan.id)).status,
    /** What happened to the package, in order. */
    happened: async (to: string) =>
      (await client.events(name)).filter(({ plan: of, remodel }) => of === plan.id && remodel?.includes(` ${to}/`)),
  }
}

const compileVms = async () =>
  (await stack.provider.listVms()).filter((vm) => vm.ownership.owner.startsWith('compiler/'))

/** The VM on which a script with this gate waits. */
async function vmThatCompiles(mark: string): Promise<string> {
  let found = ''
  const look = async () => {
    for (const { id, state } of await compileVms()) {
      if (state !== 'running') continue
      const connection = await stack.provider.connect(id, { scope: 'test', number: 1 }).catch(() => null)
      const ran = await connection?.exec(['test', '-e', `/var/vcap/data/${mark}-runs`]).catch(() => null)
      connection?.close()
      if (ran?.exitCode === 0) found = id
    }
    return found
  }
  await expect.poll(look, generous).not.toBe('')
  return found
}

/** A script says where it runs, and waits for the test. */
const gate = (mark: string) =>
  `touch /var/vcap/data/${mark}-runs; for i in $(seq 400); do [ -e /var/vcap/data/go ] && break; sleep 0.1; done`

async function run(vm: string, script: string): Promise<void> {
  const connection = await stack.provider.connect(vm, { scope: 'test', number: 1 })
  await connection.exec(['/bin/sh', '-c', script])
  connection.close()
}

describe('a compile VM', () => {
  test('K2: that dies in the middle costs nothing but an attempt: the package is compiled on another one', async () => {
    const running = await deploy('dies', { lib: `${gate('dies')}\n${sound.lib}` })
    const vm = await vmThatCompiles('dies')
    await stack.provider.deleteVm(vm, null)
    await run(await vmThatCompiles('dies'), 'touch /var/vcap/data/go')
    expect(await running.ended()).toBe('done')
    expect((await running.status()).errors).toEqual([])
    const lib = await running.happened('lib')
    const retried = lib.find(({ type }) => type === 'remodel.retried')
    expect(retried).toMatchObject({ attempt: 1, code: 'infrastructure' })
    expect(retried?.message).toContain(`compile VM ${vm} was lost while it compiled lib`)
    const done = lib.find(({ type }) => type === 'remodel.done')
    expect(done?.attempt).toBe(2)
    expect(done?.facts?.vm).not.toBe(vm)
    expect(await removeSmall(client, 'dies')).toBe('done')
  })

  test('K2: that dies with the same package again and again ends in a failure that names the package', async () => {
    const running = await deploy('loops', { lib: `${gate('loops')}\n${sound.lib}` }, { workers: 1 })
    for (let attempt = 1; attempt <= 3; attempt++) await stack.provider.deleteVm(await vmThatCompiles('loops'), null)
    expect(await running.ended()).toBe('failed')
    const { errors } = await running.status()
    expect(errors).toMatchObject([{ code: 'infrastructure' }])
    expect(errors[0]?.message).toContain('lib may be what ends its VMs')
    expect(await removeSmall(client, 'loops')).toBe('done')
  })

  test('K3: whose package failed is destroyed; all failures are in one report, with what was left out because of them', async () => {
    const fails = 'echo "this was $(cat /etc/hostname)"; exit 3\n'
    const running = await deploy('fails', { lib: fails, extra: fails })
    expect(await running.ended()).toBe('failed')
    const { errors } = await running.status()
    expect(errors.map(({ code, message }) => [code, message]).sort()).toEqual([
      ['job-failed', 'packaging of extra exited with 3'],
      ['job-failed', 'packaging of lib exited with 3'],
    ])
    const shown = errorLines(await client.planView(running.plan), createStyle(false), true)
    expect(shown.filter((line) => line.includes('so not compiled: '))).toEqual(['      so not compiled: app'])
    const vms = errors.map(({ log }) => /^this was (\S+)$/m.exec(log ?? '')?.[1])
    const deleted = async () =>
      (await effectsOf(stack)).filter(({ what, id }) => what === 'delete_vm' && vms.includes(id)).length
    await expect.poll(deleted, generous).toBe(2)
    expect(await removeSmall(client, 'fails')).toBe('done')
  })

  test('is made while the plan is read, used when it is carried out, and no more than the workers', async () => {
    const version = await release.with(client, sound)
    const stemcell = await freshStemcell()
    const options = { name: 'warm', net: 100 + stemcells, instances: 1, stemcell, release: version, workers: 2 }
    const { plan } = await planSmall(client, options)
    const warm = async () =>
      (await compileVms()).filter(
        ({ state, ownership }) => state === 'running' && ownership.purpose.endsWith(`/${stemcell}`),
      )
    // Two packages wait for no other. A hint is let go where there is no room yet: what the tests before
    // had is on its way out.
    const again = async () => {
      if ((await warm()).length < 2) await planSmall(client, options)
      return (await warm()).length
    }
    await expect.poll(again, { ...generous, interval: 1000 }).toBe(2)
    const ahead = (await warm()).map(({ id }) => id)
    await client.apply(plan.id, {})
    expect(await settled(client, plan.id)).toBe('done')
    const used = (await client.events('warm')).flatMap(({ facts }) => (facts?.vm && facts.key ? [facts.vm] : []))
    expect(used).toHaveLength(5)
    expect(ahead).toEqual(expect.arrayContaining(used))
    expect(await removeSmall(client, 'warm')).toBe('done')
  })
})

describe('a packaging script', () => {
  test('sees its direct dependencies, the BOSH_ variables and PATH, no network, and nothing of the package before', async () => {
    const leaves = 'touch /tmp/litter /tmp/.litter /var/vcap/packages/litter /var/vcap/data/compile/litter'
    const report = [
      'echo "variables: $(env | cut -d= -f1 | sort | tr "\\n" " ")"',
      'echo "packages: $(ls /var/vcap/packages | tr "\\n" " ")"',
      'echo "work: $(ls -A /var/vcap/data/compile /tmp | xargs)"',
      'echo "network: $(readlink /proc/self/ns/net)"',
      'echo "$BOSH_COMPILE_TARGET = $PWD, $BOSH_INSTALL_TARGET, $BOSH_PACKAGE_NAME"',
      'exit 1',
    ].join('\n')
    const scripts = { base: `${leaves}\n${sound.base}`, extra: `${leaves}\n${sound.extra}`, lib: report }
    const running = await deploy('alone', scripts, { workers: 1 })
    expect(await running.ended()).toBe('failed')
    const said = (await running.status()).errors[0]?.log?.split('\n') ?? []
    expect(said).toContain(
      // What bash itself adds is PWD, SHLVL and _.
      'variables: BOSH_COMPILE_TARGET BOSH_INSTALL_TARGET BOSH_PACKAGE_NAME BOSH_PACKAGE_VERSION PATH PWD SHLVL _ ',
    )
    expect(said).toContain('packages: base lib ')
    expect(said).toContain('work: /tmp: /var/vcap/data/compile: lib')
    expect(said).toContain('/var/vcap/data/compile/lib = /var/vcap/data/compile/lib, /var/vcap/packages/lib, lib')
    expect(said.find((line) => line.startsWith('network: '))).not.toBe(`network: ${readlinkSync('/proc/self/ns/net')}`)
    expect(await removeSmall(client, 'alone')).toBe('done')
  })

  test('has the network of the computer where the compilation block asks for it', async () => {
    const scripts = { base: 'echo "network: $(readlink /proc/self/ns/net)"; exit 1\n' }
    const compilation = { vm_type: undefined, cloud_properties: { network: 'host' } }
    const running = await deploy('reaches', scripts, { compilation })
    expect(await running.ended()).toBe('failed')
    const { log } = (await running.status()).errors[0] ?? {}
    expect(log?.split('\n')).toContain(`network: ${readlinkSync('/proc/self/ns/net')}`)
    expect(await removeSmall(client, 'reaches')).toBe('done')
  })

  test('that does not end is ended at its time limit, and what it said last is shown', async () => {
    const compilation = { vm_type: undefined, cloud_properties: { time_limit: 4 } }
    const running = await deploy('hangs', { extra: 'echo "I wait for Godot"; sleep 100\n' }, { compilation })
    expect(await running.ended()).toBe('failed')
    const { errors } = await running.status()
    expect(errors).toMatchObject([
      { code: 'deadline', message: expect.stringContaining('packaging of extra did not end within 4 s') },
    ])
    expect(errors[0]?.log).toContain('I wait for Godot')
    expect(await removeSmall(client, 'hangs')).toBe('done')
  })
})

describe('a full disk', () => {
  const machines = () => join(stack.home, 'machines')
  const folder = (vm: string) => join(machines(), 'vms', vm)
  /** What the machine's agent sees of its disk from now on has room for 64 KiB. */
  const shrink = (vm: string) => asHost(machines(), vm, `mount -t tmpfs -o size=64k none ${folder(vm)}`)
  /** A script that fails as soon as its disk is full. */
  const asks = 'touch /tmp/shrink; for i in $(seq 400); do [ -e /tmp/shrink ] || break; sleep 0.05; done; exit 1\n'
  const shrinkOnDemand = async (over: Promise<unknown>) => {
    let open = true
    void over.finally(() => {
      open = false
    })
    for (; open; await sleep(50)) {
      for (const { id } of await compileVms()) {
        for await (const asked of glob(join(folder(id), 'rooms/*/tmp/shrink'))) {
          await shrink(id).catch(() => {})
          await rm(asked, { force: true })
        }
      }
    }
  }

  test('K7: of a compile VM is no fault of the package: it is compiled on another VM, and that one is not used again', async () => {
    const lib = `set -e\n${gate('full')}\ntest ! -e /var/vcap/data/big\n${sound.lib}`
    const running = await deploy('full', { lib }, { workers: 1 })
    const vm = await vmThatCompiles('full')
    await shrink(vm)
    await run(vm, 'touch /var/vcap/data/big /var/vcap/data/go')
    await run(await vmThatCompiles('full'), 'touch /var/vcap/data/go')
    expect(await running.ended()).toBe('done')
    const retried = (await running.happened('lib')).find(({ type }) => type === 'remodel.retried')
    expect(retried).toMatchObject({ attempt: 1, code: 'infrastructure' })
    expect(retried?.message).toContain('the disk of its compile VM is full')
    const done = (await client.events('full')).filter(({ type, facts }) => type === 'remodel.done' && facts?.key)
    const after = done.filter(({ seq }) => seq > retried!.seq)
    expect(after).not.toHaveLength(0)
    for (const { facts } of after) expect(facts?.vm).not.toBe(vm)
    await expect.poll(async () => (await compileVms()).map(({ id }) => id), generous).not.toContain(vm)
    expect(await removeSmall(client, 'full')).toBe('done')
  })

  test('K7: three times in a row makes the compiler rest, and say so; the package is not blamed, and work goes on after', async () => {
    const [compiler] = stack.services.filter(({ name }) => name === 'compiler')
    const before = compiler!.log.length
    const running = await deploy('filled', { base: asks, extra: asks })
    const ended = running.ended()
    await shrinkOnDemand(ended)
    expect(await ended).toBe('failed')
    const { errors } = await running.status()
    expect(errors).toHaveLength(2)
    for (const { code, message } of errors) {
      expect(code).toBe('infrastructure')
      expect(message).toContain('the disk of its compile VM is full')
    }
    const said = compiler!.log.slice(before).map((line) => JSON.parse(line))
    const rested = said.filter(({ faults }) => faults === 3)
    expect(rested).toMatchObject([{ level: 50, msg: expect.stringContaining('failed 3 times in a row') }])
    const healthy = await deploy('filled', {})
    expect(await healthy.ended()).toBe('done')
    expect(await removeSmall(client, 'filled')).toBe('done')
  })
})
