import assert from 'node:assert/strict'
import { parse } from 'yaml'
import { roleAttributes } from '../../../kinds/database/postgres/roles.ts'
import { Field } from '../../long/database/field.ts'
import type { FieldCase } from '../field-case.ts'

/** What servers of databases must come to, on machines and at addresses of their own. */

interface Written {
  name?: string
  database_name: string
  hosts: { id: string; address: string }[]
  database_users?: { username: string; password?: string; attributes?: string[] }[]
}

/** After each document of the folder, in their order, roles have what it says and nothing more. */
export async function rolesAsWritten(given: FieldCase): Promise<void> {
  const field = await Field.open()
  try {
    for (const file of await given.files(/\.yml$/)) {
      await given.check(`${file}: roles are as written`, async () => {
        const content = field.at(await given.text(file))
        const { state, said } = await field.deploy(content)
        assert.deepEqual({ state, said }, { state: 'done', said: '' })
        const { name, database_name, hosts, database_users = [] } = parse(content) as Written
        const at = Number(hosts[0]!.address.split('.').at(-1))
        for (const { username, password, attributes = ['LOGIN'] } of database_users) {
          const columns = Object.values(roleAttributes).join(", '|', ")
          const seen = await field.sql(
            name ?? database_name,
            hosts[0]!.id,
            at,
            `SELECT concat(${columns}, '|', rolpassword IS NOT NULL) FROM pg_authid WHERE rolname = '${username}'`,
          )
          const wanted = [...Object.keys(roleAttributes).map((one) => attributes.includes(one)), password !== undefined]
          assert.equal(seen, wanted.map((one) => (one ? 't' : 'f')).join('|'), username)
        }
      })
    }
  } finally {
    await field.close()
  }
}
