import { expect, test } from 'vitest'
import { whyNotConnected } from '../../../../kinds/database/postgres/links/server-log.ts'

const refused = (name: string, why: string) =>
  `2026-01-31 12:00:00 UTC ERROR:  apply worker for subscription "${name}" could not connect to the publisher: ${why}`

test('why a link is not connected is what the log said last of it', () => {
  const log = [
    refused('remodel_n1_n2', 'connection to server at "127.0.0.1", port 5432 failed: Connection refused'),
    refused('remodel_n1_n2', 'fe_sendauth: no password supplied'),
    refused('remodel_n3_n2', 'timeout expired'),
    'LOG:  background worker "logical replication apply worker" (PID 7) exited with exit code 1',
  ].join('\n')
  expect(whyNotConnected(log, 'remodel_n1_n2')).toBe('fe_sendauth: no password supplied')
  expect(whyNotConnected(log, 'remodel_n4_n2')).toBe('')
  expect(whyNotConnected(`${log}\nWARNING:  out of logical replication worker slots`, 'remodel_n4_n2')).toBe(
    'out of logical replication worker slots',
  )
})
