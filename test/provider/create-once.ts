/** A worker that makes one VM and says so: `node create-once.ts <directory> <id> <fence>`. Killed by tests. */
import { LocalProvider } from '../../shared/provider/local/index.ts'

const [directory, id, number] = process.argv.slice(2) as [string, string, string]
const provider = new LocalProvider({ directory })
const stemcell = await provider.importStemcell({ name: 'host', version: '1' })
const ownership = { owner: 'deployment/test', purpose: 'instance/web/0' }
const fence = { scope: 'instance/web/0', number: Number(number) }
if (process.env.DELETE) await provider.deleteVm(id, fence)
else await provider.createVm({ id, stemcell, addresses: [], network: 'shared', resources: {}, ownership }, fence)
const machine = process.env.DELETE ? undefined : await provider.connect(id, fence)
const said = await machine?.exec([
  'sh',
  '-c',
  'echo hello; id -u; echo x > /usr/local/made; echo x > /etc/made; ls -d /usr/bin',
])
machine?.close()
console.log(JSON.stringify({ vm: await provider.findVm(id), stdout: said?.stdout, stderr: said?.stderr }))
