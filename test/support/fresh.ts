let count = 0

/** Another name each time: what the first try of a test left behind is not in the way of its second one. */
export function fresh(name: string): string {
  count += 1
  return `${name}-${count}`
}
