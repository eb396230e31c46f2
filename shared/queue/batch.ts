/**
 * How many calls one round trip holds: a script works 8 ends off, some 50 commands each, in 1 to 2 ms as a rule, and in
 * ten times that where the machine is slow for a moment.
 */
const usualLimit = 8

/**
 * Gathers calls made in the same turn of the event loop into one round trip: fifty jobs that end together are recorded
 * by four scripts instead of fifty. A lone call waits for nothing but the end of its turn.
 */
export class Batch<Item, Result> {
  #waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = []
  #scheduled = false
  readonly #run: (items: Item[]) => Promise<Result[]>
  readonly #limit: number

  constructor(run: (items: Item[]) => Promise<Result[]>, limit = usualLimit) {
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

/** A batch for each name, as long as something waits in it: names come and go, and there is no end of them. */
export class Batches<Item, Result> {
  readonly #run: (name: string, items: Item[]) => Promise<Result[]>
  readonly #waiting = new Map<string, Batch<Item, Result>>()

  constructor(run: (name: string, items: Item[]) => Promise<Result[]>) {
    this.#run = run
  }

  /** Names that something waits for. */
  get size(): number {
    return this.#waiting.size
  }

  add(name: string, item: Item): Promise<Result> {
    const known = this.#waiting.get(name)
    if (known) return known.add(item)
    const batch = new Batch<Item, Result>((items) => {
      if (this.#waiting.get(name) === batch) this.#waiting.delete(name)
      return this.#run(name, items)
    })
    this.#waiting.set(name, batch)
    return batch.add(item)
  }
}
