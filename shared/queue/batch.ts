/**
 * Gathers calls made in the same turn of the event loop into one round trip: fifty jobs that end together are recorded by
 * one script instead of fifty. A lone call waits for nothing but the end of its turn.
 */
export class Batch<Item, Result> {
  #waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = []
  #scheduled = false
  readonly #run: (items: Item[]) => Promise<Result[]>
  readonly #limit: number

  constructor(run: (items: Item[]) => Promise<Result[]>, limit = 64) {
    this.#run = run
    this.#limit = limit
  }

  add(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    this.#scheduled = false
    const all = this.#waiting
    this.#waiting = []
    for (let i = 0; i < all.length; i += this.#limit) {
      const part = all.slice(i, i + this.#limit)
      this.#run(part.map((entry) => entry.item)).then(
        (results) => {
          for (const [n, entry] of part.entries()) entry.resolve(results[n]!)
        },
        (error) => {
          for (const entry of part) entry.reject(error)
        },
      )
    }
  }
}
