/** Extensions that do nothing, or refuse to be made, where the server has not loaded their library at its start. */
const preloaded: ReadonlySet<string> = new Set(
  'citus pg_cron pg_stat_kcache pg_stat_statements pg_wait_sampling pgaudit timescaledb'.split(' '),
)

export const needsPreload = (extension: string) => preloaded.has(extension)

/** The libraries of `shared_preload_libraries`, as the server reads it. */
export function librariesIn(setting: string): string[] {
  return setting.split(',').map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
}
