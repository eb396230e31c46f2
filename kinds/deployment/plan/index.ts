import { join } from 'node:path'
import type { Blueprint, Json } from '../../../shared/model/material.ts'
import { invalidInput, type SourceDocument } from '../../../shared/source/document.ts'
import type { Kind, KindTools } from '../../contract/kind.ts'
import { recognises } from '../recognises.ts'
import { TemplateRenderer } from '../render/renderer.ts'
import type { Render } from '../rendering.ts'
import { checkClouds } from './architect/check-clouds.ts'
import { chosenReleases } from './architect/supplies.ts'
import { architect } from './architect.ts'
import { deviations } from './deviations.ts'
import { foreman } from './foreman.ts'
import { inspector } from './inspector.ts'
import { packagesOf } from './packages-of.ts'
import { releasesInUse } from './releases-in-use.ts'
import { holdings, spaces } from './reservations.ts'
import type { Strategy } from './strategy.ts'

/** BOSH deployments: manifest v2 with cloud configs, releases and stemcells; `docs/use/deployment-kind.md`. */
export function open({ blobs, cacheFolder }: KindTools): Kind {
  const renderer = new TemplateRenderer({ blobs, cacheDirectory: join(cacheFolder, 'rendered') })
  return { ...renderedBy(renderer.render), close: () => renderer.close() }
}

export const renderedBy = (render: Render): Kind => ({
  name: 'deployment',
  recognises,
  chooses: chosenReleases,
  checkClouds,
  architect,
  nothing,
  deploymentName,
  inspector,
  foreman: (blueprint, floorplan, options, known) => foreman(blueprint, floorplan, options, render, known),
  deviations,
  made: ({ purpose }) => /^(instance|disk)\//.test(purpose),
  releasesInUse,
  packagesOf,
  spaces,
  holdings,
})

function nothing(deployment: string): Blueprint {
  const strategy: Strategy = {
    deployment,
    useDns: false,
    networks: {},
    compile: { workers: 1, reuse: true, resources: {} },
    packages: {},
    groups: [],
    notes: [],
    versions: [],
  }
  return { deployment, kind: 'deployment', materials: [], strategy: strategy as unknown as Json }
}

function deploymentName(document: SourceDocument): string {
  const name = document.textAt(['name'])
  if (name) return name
  throw invalidInput([document.fault(['name'], 'is missing: a manifest says the name of its deployment')])
}
