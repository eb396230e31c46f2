import { join } from 'node:path'
import { type Blueprint, materialType } from '../../shared/model/material.ts'
import { invalidInput, type SourceDocument } from '../../shared/source/document.ts'
import { defineKind, type Kind, type KindTools } from '../contract/kind.ts'
import { inspector } from './inspection/inspector.ts'
import { checkClouds } from './plan/architect/check-clouds.ts'
import { chosenReleases } from './plan/architect/uploads.ts'
import { architect } from './plan/architect.ts'
import { deviations } from './plan/deviations.ts'
import { foremanWith } from './plan/foreman.ts'
import { instances } from './plan/instances.ts'
import { lifecycleActions } from './plan/lifecycle.ts'
import { losses } from './plan/losses.ts'
import { DeploymentOptions } from './plan/options.ts'
import { packagesOf } from './plan/packages-of.ts'
import { releasesInUse } from './plan/releases-in-use.ts'
import { holdings, spaces } from './plan/reservations.ts'
import { Strategy } from './plan/strategy.ts'
import { readable } from './readable.ts'
import { recognises } from './recognises.ts'
import { TemplateRenderer } from './render/renderer.ts'
import type { Render } from './rendering.ts'

/** BOSH deployments: manifest v2 with cloud configs, releases and stemcells; `docs/use/deployment-kind.md`. */
export function open({ blobs, cacheFolder }: KindTools): Kind {
  const renderer = new TemplateRenderer({ blobs, cacheDirectory: join(cacheFolder, 'rendered') })
  return { ...renderedBy(renderer.render), close: () => renderer.close() }
}

/** The kind, with templates rendered by `render`. */
export const renderedBy = (render: Render): Kind =>
  defineKind({
    name: 'deployment',
    strategy: Strategy,
    options: DeploymentOptions,
    recognises,
    chooses: chosenReleases,
    checkClouds,
    architect,
    nothing,
    deploymentName,
    inspector,
    foreman: foremanWith(render),
    deviations,
    losses,
    mendsEach: true,
    actions: lifecycleActions,
    made: ({ purpose }) => madeFor.has(materialType(purpose)),
    releasesInUse,
    packagesOf,
    spaces,
    holdings,
    instances,
    readable,
  })

/** Types of the materials that machines and disks are made for. */
const madeFor: ReadonlySet<string> = new Set(['instance', 'disk'])

function nothing(deployment: string): Blueprint<Strategy> {
  const strategy = {
    deployment,
    useDns: false,
    networks: {},
    compile: { workers: 1, reuse: true, resources: {} },
    packages: {},
    groups: [],
    notes: [],
    versions: [],
  }
  return { deployment, kind: 'deployment', materials: [], strategy }
}

function deploymentName(document: SourceDocument): string {
  const name = document.textAt(['name'])
  if (name) return name
  throw invalidInput([document.fault(['name'], 'is missing: a manifest says the name of its deployment')])
}
