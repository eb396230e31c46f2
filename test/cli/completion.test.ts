import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { allVerbs } from '../../cli/verbs/index.ts'
import { remodel, temporaryFolder } from './remodel.ts'

const verbs = await allVerbs()

describe('completion', () => {
  test('in a real bash offers verbs, then the options of the verb', async () => {
    await using folder = await temporaryFolder()
    const { stdout, code } = await remodel(['completion', 'bash'])
    expect(code).toBe(0)
    await writeFile(folder.in('remodel.bash'), stdout)
    const complete = (...words: string[]) => {
      const script = `source remodel.bash; COMP_WORDS=(remodel ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _remodel; printf '%s\\n' "\${COMPREPLY[@]}"`
      const ran = spawnSync('bash', ['-c', script], { cwd: folder.path, encoding: 'utf8' })
      expect(ran.stderr).toBe('')
      return ran.stdout.trim().split('\n')
    }
    expect(complete('')).toEqual(expect.arrayContaining(verbs.map((verb) => verb.name)))
    expect(complete('depl')).toEqual(['deploy', 'deployments'])
    expect(complete('deploy', '--can')).toEqual(['--canaries'])
    expect(complete('--home', '/x', 'plan', '--fl')).toEqual(['--floorplan'])
    expect(complete('completion', '')).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']))
    expect(complete('deploy', 'rem')).toEqual(['remodel.bash'])
  })

  test.each(['zsh', 'fish'])('for %s names every verb', async (shell) => {
    const { stdout, code } = await remodel(['completion', shell])
    expect(code).toBe(0)
    for (const verb of verbs) expect(stdout).toContain(verb.name)
    expect(stdout).not.toContain('--quiet-services')
  })

  test('for another shell ends with 2 and lists the known ones', async () => {
    const ran = await remodel(['completion', 'powershell'])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toContain('bash, zsh, fish')
  })
})
