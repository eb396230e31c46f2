import swagger from '@fastify/swagger'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { Info } from '../../../shared/api/schemas/info.ts'
import { redisAddress } from '../../../shared/runtime/redis.ts'
import { mountBoard } from './board/board.ts'
import { BoardVisits } from './board/visits.ts'
import { type Access, guard, noAccess } from './door.ts'
import { errorHandler } from './problem.ts'
import { catalogRoutes } from './routes/catalog.ts'
import { cleaningRoutes } from './routes/cleaning.ts'
import { deploymentRoutes } from './routes/deployments.ts'
import { eventRoutes } from './routes/events.ts'
import { healingRoutes } from './routes/healing.ts'
import { planRoutes } from './routes/plans.ts'
import { releaseRoutes } from './routes/releases.ts'
import { standingOrderRoutes } from './routes/standing-orders.ts'
import { verifyRoutes } from './routes/verify.ts'
import type { Services } from './services.ts'
import { closeStalledBodies } from './stalled-bodies.ts'
import { noSuchRoute, validatorCompiler } from './validation.ts'

/**
 * The HTTP API: `/v1`, its description at `/v1/openapi.json`, Bull Board at `/board`. Listens on nothing yet; without
 * `access` it refuses every caller.
 */
export async function buildServer(services: Services, access: Access = noAccess) {
  const server = Fastify({
    loggerInstance: services.log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 64 * 2 ** 20,
    // Deployments of earlier versions may have longer names than are allowed now: they must be seen and deleted.
    routerOptions: { maxParamLength: 1024 },
  }).withTypeProvider<ZodTypeProvider>()
  server.setValidatorCompiler(validatorCompiler)
  server.setSerializerCompiler(serializerCompiler)
  server.setErrorHandler(errorHandler(redisAddress(services.ledger.settings)))
  server.setNotFoundHandler(noSuchRoute)
  const visits = new BoardVisits(access.token)
  guard(server, access, visits)
  await server.register(swagger, {
    openapi: { info: { title: 'Remodel', version: services.version } },
    transform: jsonSchemaTransform,
  })
  server.get('/v1/openapi.json', { schema: { hide: true } }, async () => server.swagger())
  server.get(
    '/v1/info',
    { schema: { description: 'Name, version and kinds of this planner.', response: { 200: Info } } },
    async () => {
      await services.ledger.redis.ping()
      return {
        name: 'remodel' as const,
        version: services.version,
        planner: services.planner,
        kinds: services.kinds.names,
        warnings: services.disk.warning === undefined ? [] : [services.disk.warning],
      }
    },
  )
  closeStalledBodies(server)
  const { drawAction } = planRoutes(server, services)
  deploymentRoutes(server, services)
  standingOrderRoutes(server, services)
  healingRoutes(server, services)
  eventRoutes(server, services)
  catalogRoutes(server, services)
  releaseRoutes(server, services)
  cleaningRoutes(server, services)
  verifyRoutes(server, services)
  for (const kind of services.kinds.all) kind.routes?.(server, { ...services, drawAction })
  await mountBoard(server, services, visits)
  return server
}
