type Paths = Record<string, Record<string, { description?: string }>>

const head = `# HTTP API

What the command does, it does over this API. The table of routes is written from the routes themselves
(\`vitest run test/api/openapi.test.ts --update\`). [shared/api/openapi.json](../../shared/api/openapi.json) has every shape, and so has
\`GET /v1/openapi.json\` of a planner. \`shared/api/client.ts\` is a typed client, \`shared/api/enqueue.ts\` puts a deploy on the queue without a planner.

## Getting in

By the socket of the planner, which its own user alone can open:

    curl --unix-socket ~/.remodel/planner.sock http://localhost/v1/info

Or over TCP with the token ([security](operating.md#security)); \`planner.json\` in the same folder says where it listens:

    curl -H "Authorization: Bearer $(cat ~/.remodel/token)" http://127.0.0.1:7070/v1/deployments

## A deploy by hand

    curl --unix-socket ~/.remodel/planner.sock http://localhost/v1/plans -H 'content-type: application/json' \\
      -d "$(jq -n --rawfile text web.yml '{manifest: {name: "web.yml", content: $text}}')"
    curl --unix-socket ~/.remodel/planner.sock http://localhost/v1/plans/<id>/apply -X POST -H 'content-type: application/json' -d '{}'
    curl --unix-socket ~/.remodel/planner.sock -H 'Accept: text/event-stream' http://localhost/v1/deployments/web/events

A plan is drawn and stored by the first, carried out by the second (202: it has begun), and followed by the third. The stream says
\`id: <number>\` and \`data: <event>\` ([events](events.md)); after a break it goes on behind the number in \`Last-Event-ID\`.

## When something is wrong

An error is \`application/problem+json\`: \`code\` is stable ([errors](errors.md)), \`detail\` is a sentence for people, \`faults\` are places in your files, each
with file, line, path, what was found and what is allowed. Nothing was changed.

| status | codes |
|---|---|
| 401, 403 | \`unauthenticated\`, \`forbidden\` |
| 404 | \`not-found\` |
| 409 | \`conflict\`, \`locked\`, \`floorplan-moved\`, \`claimed\`, \`superseded\`, \`cancelled\` |
| 422 | \`invalid-input\` |
| 501, 502, 504 | \`unsupported\`; \`infrastructure\`, \`job-failed\`; \`deadline\` |
| 503 | \`unavailable\`: Redis cannot be reached; try again after \`Retry-After\` |

A request that stores or begins something may be sent again after a lost answer: the same plan is the same id, and what was applied with a lock id
is not applied twice.

## Routes

| | | |
|---|---|---|
`

/** The page of all routes. */
export function httpPage(paths: Paths): string {
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { description = '' }]) =>
        `| ${method.toUpperCase()} | \`${path}\` | ${description.replaceAll('|', '\\|')} |`,
    ),
  )
  return `${head}${rows.join('\n')}\n`
}
