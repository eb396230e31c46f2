/** Runs a pipeline or transaction and throws the first error in it. */
export async function run<Results extends unknown[]>(pipeline: {
  exec(): Promise<[Error | null, unknown][] | null>
}): Promise<Results> {
  const replies = (await pipeline.exec()) ?? []
  for (const [error] of replies) if (error) throw error
  return replies.map(([, value]) => value) as Results
}
