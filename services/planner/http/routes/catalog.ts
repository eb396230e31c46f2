import { z } from 'zod'
import type { Routes } from '../../../../kinds/contract/routes.ts'
import { Config } from '../../../../shared/api/schemas/config.ts'
import { Stemcell } from '../../../../shared/release/release.ts'
import { takeConfig } from '../../catalog/configs.ts'
import type { Services } from '../services.ts'

const ByDigest = z.object({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) })

/** What operators upload: blobs, stemcells, configs. */
export function catalogRoutes(server: Routes, { catalog, kinds, blobs }: Services): void {
  server.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))

  server.head('/v1/blobs/:digest', { schema: { params: ByDigest } }, async (request, reply) =>
    reply.status((await blobs.keep(request.params.digest)) ? 200 : 404).send(),
  )

  server.put(
    '/v1/blobs/:digest',
    {
      bodyLimit: 4 * 2 ** 30,
      schema: { description: 'Puts bytes if absent. 409 where they are not what the digest says.', params: ByDigest },
    },
    async (request, reply) => {
      const there = await blobs.has(request.params.digest)
      const { digest, size } = await blobs.put(request.body as never, request.params.digest)
      return reply.status(there ? 200 : 201).send({ digest, size })
    },
  )

  server.get(
    '/v1/stemcells',
    { schema: { description: 'Uploaded stemcells.', response: { 200: z.array(Stemcell) } } },
    async () => catalog.stemcells(),
  )
  server.post(
    '/v1/stemcells',
    { schema: { description: 'Adds a stemcell.', body: Stemcell, response: { 200: Stemcell, 201: Stemcell } } },
    async (request, reply) => reply.status((await catalog.addStemcell(request.body)) ? 201 : 200).send(request.body),
  )

  server.get(
    '/v1/configs',
    { schema: { description: 'Uploaded cloud and runtime configs.', response: { 200: z.array(Config) } } },
    async () => catalog.configs(),
  )
  server.get(
    '/v1/configs/:type/:name',
    {
      schema: {
        description: 'One config as it was stored. 404 where there is none.',
        params: Config.pick({ type: true, name: true }),
        response: { 200: Config },
      },
    },
    async ({ params: { type, name } }) => catalog.config(type, name),
  )
  server.delete(
    '/v1/configs/:type/:name',
    {
      schema: {
        description: 'Deletes a config, and answers it. Plans made from now on do without it. 404 where there is none.',
        params: Config.pick({ type: true, name: true }),
        response: { 200: Config },
      },
    },
    async ({ params: { type, name } }) => catalog.dropConfig(type, name),
  )
  server.put(
    '/v1/configs/:type/:name',
    {
      schema: {
        description:
          'Puts a config in the place of the one of that type and name. 422 where plans would be refused because of it.',
        params: Config.pick({ type: true, name: true }),
        body: Config.pick({ content: true }),
        response: { 200: Config },
      },
    },
    async (request) => {
      const config = { ...request.params, ...request.body }
      await takeConfig(config, { catalog, kinds })
      return config
    },
  )
}
