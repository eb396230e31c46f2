import { LogIndex } from '../../../../kinds/database/archive/log-index.ts'
import { DiskBlobstore } from '../../../../shared/blobstore/disk.ts'
import { connectRedis } from '../../../../shared/runtime/redis.ts'

/** Packs the index of one log in a process of its own, which a failpoint may end. */
const [url = '', home = '', deployment = ''] = process.argv.slice(2)
const redis = connectRedis({ url, prefix: 'remodel' }, 'service')
const index = new LogIndex(redis, 'remodel', await DiskBlobstore.open(home))
await index.pack({ deployment, node: 'n1', line: 'a' })
redis.disconnect()
