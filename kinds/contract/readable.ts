/** What of a kind's documents the board may show to all its viewers: an order of a deploy carries whole ones. */
export interface Readable {
  /** Keys whose maps and lists are gone into. Below any other key all is hidden. */
  walked: readonly string[]
  /** Keys whose plain values are shown, where every key above them is one that is walked. */
  shown: readonly string[]
}
