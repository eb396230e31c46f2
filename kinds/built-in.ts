/**
 * The kinds of this Remodel: a folder and a line each. What is in a folder is loaded when it is first needed, so that a
 * plan starts fast.
 */
export const builtIn = {
  deployment: () => import('./deployment/index.ts'),
  database: () => import('./database/index.ts'),
}
