import { z } from 'zod'

/**
 * Names that users give to deployments and their parts: they become parts of host names, files and keys, so they have
 * the length of a label of DNS (RFC 1035, 63) and characters that mean the same everywhere. One rule for all kinds.
 */
export const Name = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'must be 1 to 63 letters, digits, dots, dashes and underscores, beginning with a letter or a digit',
  )

/**
 * Jobs and packages of releases: folders on a machine. BOSH takes a plus as well.
 */
export const PartName = z
  .string()
  .regex(
    /^[A-Za-z0-9_][A-Za-z0-9._+-]{0,127}$/,
    'must be 1 to 128 letters, digits, dots, dashes, underscores and pluses, beginning with a letter, a digit or an underscore',
  )

/** Versions of releases and stemcells, as BOSH writes them: `1.10`, `1.0-rc.1`, `0+dev.3`. */
export const VersionName = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/,
    'must be 1 to 128 letters, digits, dots, dashes, underscores and pluses, beginning with a letter or a digit',
  )
