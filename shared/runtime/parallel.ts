/** Runs `work` for every item, at most `limit` at once, in order; fails with the first failure after all have ended. */
export async function eachAtMost<Item>(
  limit: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items.values()
  const lane = async () => {
    for (const item of queue) await work(item)
  }
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}
