import { join } from 'node:path'
import { LocalProvider } from '../../shared/provider/local/index.ts'

/**
 * `look-inside.ts HOME SCRIPT`: makes a machine below the home as the user of this process, and prints what
 * the script says there.
 */
const [home = '', script = ''] = process.argv.slice(2)
const provider = new LocalProvider({ directory: join(home, 'machines'), hidden: [home] })
const stemcell = await provider.importStemcell({ name: 'host', version: '1' })
const ownership = { owner: 'deployment/test', purpose: 'instance/w' }
await provider.createVm(
  { id: 'w', stemcell, addresses: [], network: 'none', resources: {}, ownership },
  { scope: 'w', number: 1 },
)
const machine = await provider.connect('w', { scope: 'w', number: 1 })
const { stdout, stderr } = await machine.exec(['/bin/sh', '-c', script])
machine.close()
await provider.deleteVm('w', null)
console.log(stdout + stderr)
