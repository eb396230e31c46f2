import { digestOf } from '../../../shared/model/canonical.ts'
import type { Connection } from '../../../shared/provider/connection.ts'
import { layout } from '../../../shared/provider/layout.ts'
import { shell } from '../../contract/shell.ts'
import { AddressRecord } from '../inputs.ts'

const folder = `${layout.instance}/dns`

/**
 * Writes an address table to a machine: `/etc/hosts` for programs that look names up, `dns/records.json` for jobs that
 * follow changes. Both change at once or not at all, so that no reader sees half a table.
 */
export async function writeAddresses(connection: Connection, host: string, table: Uint8Array): Promise<void> {
  const records = AddressRecord.array().parse(JSON.parse(Buffer.from(table).toString()))
  const hosts = [
    `127.0.0.1 localhost ${host}`,
    ...records.map((record) => `${record.address} ${record.host} ${record.group}`),
  ]
  await connection.write('/etc/hosts.next', `${hosts.join('\n')}\n`)
  await shell(connection, 'mkdir -p "$1"', [folder])
  await connection.write(
    `${folder}/records.json.next`,
    JSON.stringify({ version: digestOf(records).slice(7, 19), records }),
  )
  // The file keeps its inode where it is mounted over the machine's own; its content is written in one go.
  await shell(
    connection,
    'mv /etc/hosts.next /etc/hosts 2>/dev/null || { cat /etc/hosts.next > /etc/hosts; rm /etc/hosts.next; }; mv "$1/records.json.next" "$1/records.json"',
    [folder],
  )
}
