import { exit, type Verb } from '../verb.ts'

const board: Verb = {
  configure() {},
  examples: [
    ['board', 'open the printed link in a browser, within two minutes; it lets that browser look for twelve hours'],
  ],
  async run(context) {
    const client = await context.client()
    const url = client.address.url + (await client.boardKey())
    if (context.json) context.document({ url })
    else context.raw(url)
    return exit.done
  },
}

export default board
