/**
 * Imported before anything of the project: shared/runtime/failpoint.ts asks for this function when it is loaded.
 * What a failpoint does is up to the run that is going on.
 */
type Fire = (name: string) => Promise<void> | undefined

let reached: Fire | undefined

Reflect.set(globalThis, Symbol.for('remodel.failpoint'), (name: string) => reached?.(name))

export function onFailpoint(fire: Fire | undefined): void {
  reached = fire
}
