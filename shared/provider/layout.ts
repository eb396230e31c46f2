/** Where things are on a machine: BOSH's layout, so that releases find what they expect. */
export const layout = {
  packages: '/var/vcap/packages',
  jobs: '/var/vcap/jobs',
  data: '/var/vcap/data',
  log: '/var/vcap/sys/log',
  run: '/var/vcap/sys/run',
  instance: '/var/vcap/instance',
  store: '/var/vcap/store',
  packageData: (name: string, key: string) => `/var/vcap/data/packages/${name}/${key.slice(0, 12)}`,
  jobData: (name: string, digest: string) =>
    `/var/vcap/data/jobs/${name}/${digest.replace('sha256:', '').slice(0, 12)}`,
} as const

/** The PATH of every script on a machine, as BOSH's agent sets it. */
export const scriptPath = '/usr/sbin:/usr/bin:/sbin:/bin'
