/**
 * What a session of the admin role has from its first statement on, whatever is set for the server, the database or
 * the role. The owner of a database may set for it what every session there begins with: with a path of schemas that
 * he fills, functions and operators of his would run as the superuser. What a client asks for as it connects counts
 * more than that.
 */
const fromTheStart: Readonly<Record<string, string>> = {
  // A name is what PostgreSQL has by it; what is temporary is looked at last.
  search_path: 'pg_catalog,pg_temp',
  role: 'none',
  // A view that has taken the place of a table would run what it is made of.
  restrict_nonsystem_relation_kind: 'view,foreign-table',
  local_preload_libraries: '',
  event_triggers: 'off',
  session_replication_role: 'origin',
  // Commits wait for this server's disk only, and it writes where clients may only read.
  synchronous_commit: 'local',
  default_transaction_read_only: 'off',
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // How long a statement may take is for the session to say.
  statement_timeout: '0',
  transaction_timeout: '0',
  lock_timeout: '0',
  idle_session_timeout: '0',
  idle_in_transaction_session_timeout: '0',
}

/** For the connection: `-c name=value ...`. */
export const startOptions = Object.entries(fromTheStart)
  .map(([name, value]) => `-c ${name}=${value.replace(/[\\ ]/g, '\\$&')}`)
  .join(' ')

/**
 * The first statements of a session, and again where code of others may have changed its settings. All that is set
 * for the database or the role, as `client_min_messages`, goes back to what PostgreSQL has: to `RESET` it would bring
 * it back. The session's user cannot be set that way: PostgreSQL notes it at the connection with a source that counts
 * more.
 */
export const settleSql = `RESET ALL;
  SELECT set_config(name, boot_val, false) FROM pg_settings
  WHERE source IN ('global', 'database', 'user', 'database user') AND context IN ('user', 'superuser')`
