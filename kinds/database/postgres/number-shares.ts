/**
 * Every sequence of a database of several nodes counts in steps of this, and node `n3` draws the numbers whose
 * remainder by it is 3. So a node that is added needs no change on the others, and no two nodes whose numbers differ by
 * less draw the same number.
 */
export const stride = 16

/** The remainder of the numbers that a node draws. */
export const shareOf = (node: string) => Number(node.replace(/^n/, '')) % stride
