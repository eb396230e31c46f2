import { cliFigures } from './deploy/cli.ts'
import { idleFigure } from './deploy/idle.ts'
import { takeOverFigures } from './deploy/take-over.ts'
import { workloadFigures } from './deploy/workloads.ts'
import type { Figure } from './figure.ts'

const bench = 'deploy'

/**
 * What a person waits for: deploys of BOSH's measured shapes, the command's start, a killed worker;
 * and what idling costs.
 */
export async function run(): Promise<Figure[]> {
  return [
    ...(await workloadFigures(bench)),
    ...(await cliFigures(bench)),
    await idleFigure(bench),
    ...(await takeOverFigures(bench)),
  ]
}
