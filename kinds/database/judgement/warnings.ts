import { isDue } from '../../../shared/certificates/renewal.ts'
import { bytesText } from '../../../shared/model/bytes-text.ts'
import type { StoppedLink } from '../api/server.ts'
import { type Finding, failure, warning } from './finding.ts'
import { isFull, type NodeSeen, type ServerSeen } from './seen.ts'

/** Below this share of a disk a person should hear of it. */
const scarce = 0.1
/** A log kept for one reader is named from this size on. */
const muchKept = 2 ** 30

/**
 * What has not failed and will, if it goes on like this; and certificates that have ended. `now` undefined: nothing of
 * certificates.
 */
export function warningsOf(
  nodes: readonly NodeSeen[],
  { stopped, deploy, now }: { stopped: readonly StoppedLink[]; deploy: string | null; now: number | undefined },
): Finding[] {
  const servers = nodes.flatMap((node) => node.servers)
  return [
    ...nodes.flatMap((node) => unconnectedPeers(node, stopped)),
    ...servers.flatMap(readersAway),
    ...servers.flatMap(scarceDisk),
    ...(now === undefined ? [] : servers.flatMap((server) => endingCertificate(server, { deploy, now }))),
  ]
}

/** It may come back within seconds, so it is no failure yet. A link that carries nothing is a failure of its own. */
function unconnectedPeers({ node, servers }: NodeSeen, stopped: readonly StoppedLink[]): Finding[] {
  const isStopped = (peer: string) => stopped.some(({ from, to }) => from === node && to === peer)
  const away = servers.flatMap(({ peers = [] }) => peers.filter((peer) => !peer.connected && !isStopped(peer.node)))
  return away.map((peer) =>
    warning(`node/${peer.node}`, `is not connected to ${node}: what ${node} writes waits for it`),
  )
}

function readersAway({ node, role, slots = [] }: ServerSeen): Finding[] {
  return slots.flatMap(({ reader, connected, keptBytes }) => {
    if (connected || keptBytes < muchKept || role !== 'primary' || reader === 'the archive') return []
    return [warning(`node/${node}`, `keeps ${bytesText(keptBytes)} of its log for ${reader}, which does not read it`)]
  })
}

/** A full one is a failure of its own. */
function scarceDisk(server: ServerSeen): Finding[] {
  const { instance, disk } = server
  if (!disk || isFull(server) || disk.freeBytes >= scarce * disk.totalBytes) return []
  const left = `${bytesText(disk.freeBytes)} of ${bytesText(disk.totalBytes)}`
  return [warning(`instance/${instance}`, `has ${left} of its disk left`)]
}

/** One that has ended keeps every client away that checks it. */
function endingCertificate(
  { instance, certificate }: ServerSeen,
  { deploy, now }: { deploy: string | null; now: number },
): Finding[] {
  if (!certificate || !isDue(certificate.begins, certificate.ends, now)) return []
  const day = new Date(certificate.ends).toISOString().slice(0, 10)
  if (now > certificate.ends) return [failure(`instance/${instance}`, `has a certificate that ended on ${day}`, deploy)]
  const what = `has a certificate that ends on ${day}: the next deploy renews it`
  return [warning(`instance/${instance}`, what, deploy)]
}
