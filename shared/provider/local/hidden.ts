import { readdir, readFile, realpath } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { join } from 'node:path'

/** Data and password of a Redis that the distribution runs, and root's home, whichever user runs this process. */
const always = ['/root', '/var/lib/redis', '/etc/redis']
/** Never hidden, whatever HOME says: programs of the machine come from there. */
const system = /^\/(usr(\/.*)?|s?bin|lib\w*|etc|var|opt|dev|proc|sys|run|tmp|boot|home)?$/
/** Homebrew keeps its programs in a home of its own. */
const programs = new Set(['linuxbrew'])

/**
 * Directories of this computer that machines on its own root (light stemcells) do not see: `own` (Remodel's home) and
 * the homes of its users. Real paths, without those below another one.
 */
export async function hiddenDirectories(
  own: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string[]> {
  const users = (await readdir('/home').catch(() => [])).filter((name) => !programs.has(name))
  const homes = [...ownHomes(), env.HOME ?? '', ...users.map((name) => join('/home', name))]
  const [ours, theirs] = await Promise.all([resolved(own), resolved([...always, ...homes])])
  const wanted = [...ours, ...theirs.filter((path) => !system.test(path))]
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  return outermost([...wanted, ...wanted.flatMap((path) => inRootOf(table, path) ?? [])])
}

/** A user without an entry in the table of users has no home there. */
function ownHomes(): string[] {
  try {
    return [homedir(), userInfo().homedir]
  } catch {
    return []
  }
}

/**
 * Where a directory is in the file system of `/`, if its own mount shows a part of that file system (a bind mount,
 * a subvolume): the machine's root has it there. `table` is `/proc/self/mountinfo`.
 */
export function inRootOf(table: string, path: string): string | undefined {
  const mounts = table.split('\n').flatMap((line) => {
    const [, , device, root, place] = line.split(' ')
    return device === undefined || root === undefined || place === undefined
      ? []
      : [{ device, root: unescaped(root), place: unescaped(place) }]
  })
  const over = mounts.filter(({ place }) => isBelow(path, place)).sort((a, b) => a.place.length - b.place.length)
  const root = over.filter(({ place }) => place === '/').at(-1)
  const nearest = over.at(-1)
  if (!root || !nearest || nearest.place === '/' || nearest.device !== root.device) return undefined
  const inFileSystem = join(nearest.root, path.slice(nearest.place.length))
  return isBelow(inFileSystem, root.root) ? join('/', inFileSystem.slice(root.root.length)) : undefined
}

function outermost(paths: readonly string[]): string[] {
  const unique = [...new Set(paths)].filter((path) => path !== '/' && !path.includes('\n')).sort()
  return unique.filter((path) => !unique.some((other) => other !== path && isBelow(path, other)))
}

function isBelow(path: string, directory: string): boolean {
  return directory === '/' || path === directory || path.startsWith(`${directory}/`)
}

async function resolved(paths: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    paths.filter((path) => path.startsWith('/')).map((path) => realpath(path).catch(() => undefined)),
  )
  return found.filter((path) => path !== undefined)
}

/** Spaces and the like are written in octal there. */
function unescaped(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)))
}
