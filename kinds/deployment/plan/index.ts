import type { Blueprint, Json } from '../../../shared/model/material.ts'
import { invalidInput, type SourceDocument } from '../../../shared/source/document.ts'
import type { Kind } from '../../contract/kind.ts'
import { checkClouds } from './architect/check-clouds.ts'
import { chosenReleases } from './architect/supplies.ts'
import { architect } from './architect.ts'
import { deviations } from './deviations.ts'
import { foreman } from './foreman.ts'
import { inspector } from './inspector.ts'
import { holdings, spaces } from './reservations.ts'
import type { Strategy } from './strategy.ts'

/** BOSH deployments: manifest v2 with cloud configs, releases and stemcells; `docs/deployment-kind.md`. */
export const kind: Kind = {
  name: 'deployment',
  recognises: (document) => 'instance_groups' in keysOf(document),
  chooses: chosenReleases,
  checkClouds,
  architect,
  nothing,
  deploymentName,
  inspector,
  foreman,
  deviations,
  made: ({ purpose }) => /^(instance|disk)\//.test(purpose),
  spaces,
  holdings,
}

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

function keysOf(document: SourceDocument): Record<string, unknown> {
  const { value } = document
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}
