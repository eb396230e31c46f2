import { layout } from '../../../shared/provider/layout.ts'

const data = `${layout.store}/postgres/data`
/** For each file of settings its digest, as a remodel wrote it last. */
const written = `${layout.store}/postgres/written`

/** Shell: notes that these files of the data directory, as far as they are there, are as a remodel wrote them. */
export function noteWritten(files: readonly string[]): string {
  return `mkdir -p ${written}; for file in ${files.join(' ')}; do
    if [ -e ${data}/$file ]; then (cd ${data}; sha256sum $file) > ${written}/$file; else rm -f ${written}/$file; fi; done`
}

/** Shell: prints a line `changed <file>` for each file that is not as it was noted. */
export const findChanged = `if [ -d ${data} ]; then for noted in ${written}/*; do
    if [ -e "$noted" ] && ! (cd ${data}; sha256sum -c --status "$noted" 2>/dev/null); then echo "changed $(basename "$noted")"; fi; done; fi`

/** The files that `findChanged` named. */
export function changedIn(output: string): string[] {
  return output.split('\n').flatMap((line) => (line.startsWith('changed ') ? [line.slice('changed '.length)] : []))
}
