import type { Readable } from 'node:stream'

/**
 * The `data` of each server-sent event of a response, as the HTML standard frames them: lines ended by LF or CRLF, an
 * empty line ends an event, several `data` lines are one text, a line that begins with a colon is a comment that keeps
 * the connection alive. Ids are not kept: our events carry their `seq`.
 */
export async function* readServerSentEvents(stream: Readable): AsyncGenerator<string> {
  stream.setEncoding('utf8')
  let rest = ''
  let data: string[] = []
  for await (const chunk of stream) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const ended of lines) {
      const line = ended.endsWith('\r') ? ended.slice(0, -1) : ended
      if (line === '') {
        if (data.length > 0) yield data.join('\n')
        data = []
      } else if (line.startsWith('data:')) data.push(line.slice(line.charAt(5) === ' ' ? 6 : 5))
    }
  }
}
