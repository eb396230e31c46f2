import type { Readable } from '../contract/readable.ts'

/** Settings of PostgreSQL and of backup repositories may hold secrets: they are in neither list. */
export const readable: Readable = {
  walked: ['nodes', 'hosts', 'database_users'],
  shown: ['id', 'database_name', 'username', 'host_ids', 'primary_host_id', 'port', 'address'],
}
