/**
 * When a server was started, by its own clock to the microsecond: another text every time, whatever its
 * zone and format of dates.
 */
export const startedSql = `SELECT extract(epoch FROM pg_postmaster_start_time())::text`
