import { compareVersions } from '../../../../shared/release/version.ts'

/**
 * The version that `wanted` means: itself, the newest of all (`latest`), or the newest below a prefix (`621.latest`).
 */
export function resolveVersion(wanted: string, available: readonly string[]): string | undefined {
  if (wanted !== 'latest' && !wanted.endsWith('.latest')) return available.find((version) => version === wanted)
  const prefix = wanted === 'latest' ? '' : wanted.slice(0, -'latest'.length)
  return available
    .filter((version) => version.startsWith(prefix))
    .sort(compareVersions)
    .at(-1)
}
