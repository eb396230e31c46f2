import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { InspectedRelease, ListedRelease, UsedRelease } from '../../../../shared/api/schemas/release.ts'
import { RedisCompiledIndex } from '../../../../shared/compilation/compiled.ts'
import { exportRelease } from '../../../../shared/release/export.ts'
import { osOf } from '../../../../shared/release/package-form.ts'
import { Release } from '../../../../shared/release/release.ts'
import { compiledFor, takeRelease } from '../../catalog/releases.ts'
import { PlanningSessions } from '../../housekeeping/planning-sessions.ts'
import type { Services } from '../services.ts'

const ById = z.object({ name: z.string(), version: z.string() })
const ExportQuery = z.object({
  stemcell: z.string().regex(/^[^/]+\/.+$/, 'is not <os>/<version>'),
  /** Comma separated; without it all jobs. */
  jobs: z.string().optional(),
})

/** Releases: taken in, looked at, handed out compiled. */
export function releaseRoutes(server: Routes, { catalog, blobs, ledger, kinds }: Services): void {
  const compiled = new RedisCompiledIndex(ledger.redis, ledger.settings)
  const sessions = new PlanningSessions(ledger.redis, ledger.settings)

  server.get(
    '/v1/releases',
    { schema: { description: 'Uploaded releases, and when.', response: { 200: z.array(ListedRelease) } } },
    async () => {
      const [releases, times] = await Promise.all([catalog.releases(), catalog.uploadTimes()])
      return releases.map((one) => ({ ...one, uploadedAt: times.get(`${one.name}/${one.version}`) ?? null }))
    },
  )

  server.post(
    '/v1/releases',
    {
      schema: {
        description:
          'Adds a release whose blobs are there, source or compiled; to the same version, forms of packages it lacked. 409 where that version has other content.',
        body: Release,
        response: { 200: Release, 201: Release },
      },
    },
    async (request, reply) => {
      const { release, added } = await takeRelease(request.body, { catalog, blobs, compiled, sessions })
      return reply.status(added ? 201 : 200).send(release)
    },
  )

  server.get(
    '/v1/releases/:name/:version',
    {
      schema: {
        description: 'One release, and for which stemcells its packages are compiled.',
        params: ById,
        response: { 200: InspectedRelease },
      },
    },
    async ({ params }) => {
      const release = await catalog.release(params.name, params.version)
      return { release, compiled: await compiledFor(release, { catalog, compiled }) }
    },
  )

  server.get(
    '/v1/releases/:name/:version/export',
    {
      schema: {
        description: 'A compiled release tarball, from what is compiled. 409 names the packages that are not.',
        params: ById,
        querystring: ExportQuery,
      },
    },
    async ({ params, query }, reply) => {
      const release = await catalog.release(params.name, params.version)
      const jobs = query.jobs?.split(',').filter(Boolean) ?? []
      const exported = await exportRelease(release, osOf(query.stemcell), { compiled, blobs }, jobs)
      return reply
        .header('content-type', 'application/gzip')
        .header('x-remodel-jobs', exported.jobs.length)
        .header('x-remodel-packages', exported.packages.length)
        .send(exported.open())
    },
  )

  server.get(
    '/v1/deployments/:name/releases',
    {
      schema: {
        description: 'The releases that a deployment runs.',
        params: z.object({ name: z.string() }),
        response: { 200: z.array(UsedRelease) },
      },
    },
    async ({ params }) => {
      const [kind, { materials }, releases, stemcells] = await Promise.all([
        ledger.kindOf(params.name),
        ledger.floorplan(params.name),
        catalog.releases(),
        catalog.stemcells(),
      ])
      return kinds.find(kind ?? '')?.releasesInUse?.(materials, { releases, stemcells }) ?? []
    },
  )
}
