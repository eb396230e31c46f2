import { layout } from '../../shared/provider/layout.ts'

/** What the jobs and packages of an instance had when it was found healthy. */
const note = `${layout.instance}/files`
/**
 * Written when jobs and packages were linked: a younger file was written by a script of a job, which may do so again.
 */
const since = `${layout.instance}/id`

const jobs = `find ${layout.jobs}/*/ -type f ! -newer ${since}`
const packages = `find ${layout.packages}/*/ -type f ! -newer ${since} -printf '%s %T@ %p\\n'`

/** A machine that lacks these programs is looked at less closely. */
export const noteFiles = `${jobs} -exec sha256sum {} + > ${note}.jobs 2>/dev/null || true
${packages} 2>/dev/null | LC_ALL=C sort > ${note}.packages || true`

/**
 * One line for each file that is gone or changed: those of jobs by their content, those of packages, which may be
 * large, by size and time of writing. What came since is left out.
 */
export const findChangedFiles = `
[ -s ${note}.jobs ] && LC_ALL=C sha256sum --check --quiet ${note}.jobs 2>/dev/null | sed -n 's/^\\(.*\\): FAILED.*$/changed \\1/p'
[ -s ${note}.packages ] && ${packages.replace(` ! -newer ${since}`, '')} 2>/dev/null | LC_ALL=C sort |
  LC_ALL=C comm -23 ${note}.packages - | sed 's/^[^ ]* [^ ]* /changed /'`

const named = 3

/** Of the lines of `findChangedFiles`: job or package below its folder -> its files, as the end of a sentence. */
export function changedBelow(lines: readonly string[], folder: string): Map<string, string> {
  const paths = lines.flatMap((line) => (line.startsWith(`changed ${folder}/`) ? [line.slice(9 + folder.length)] : []))
  const byName = Map.groupBy(paths, (path) => path.split('/')[0]!)
  return new Map(
    [...byName].map(([name, of]) => {
      const files = of.map((path) => path.slice(name.length).replace(/^\/+/, '')).sort()
      const more = files.length - named
      return [name, more > 0 ? `${files.slice(0, named).join(', ')} and ${more} more` : files.join(', ')]
    }),
  )
}
