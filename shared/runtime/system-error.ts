import { RemodelError } from './errors.ts'

/** What the operating system's codes mean, as the end of a sentence about a file, a folder or an address. */
const words: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'the user of this process may not do that',
  EPERM: 'the system does not allow that',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'it exists already',
  ENOTEMPTY: 'the folder is not empty',
  ENAMETOOLONG: 'the name is too long',
  ELOOP: 'its symbolic links lead in a circle',
  EROFS: 'the file system can only be read',
  ENOSPC: 'the disk is full',
  EDQUOT: "the user's quota of the disk is used up",
  EFBIG: 'the file would be too large',
  EIO: 'the disk cannot read or write it',
  EBUSY: 'it is in use',
  ETXTBSY: 'it is in use as a program',
  EMFILE: 'this process has too many open files (see `ulimit -n`)',
  ENFILE: 'this computer has too many open files',
  ENOMEM: 'this computer is out of memory',
  EAGAIN: 'this computer has no room for another process at the moment',
  EADDRINUSE: 'another program listens on that port',
  EADDRNOTAVAIL: 'this computer does not have that address',
  ECONNREFUSED: 'no program listens there',
  ECONNRESET: 'the connection was closed at the other end',
  EPIPE: 'the reader at the other end is gone',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'there is no route to that computer',
  ENETUNREACH: 'there is no route to that network',
  ENOTFOUND: 'no computer of that name is known',
  EAI_AGAIN: 'names of computers cannot be looked up at the moment',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by itself',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate comes from an authority that this computer does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate comes from an authority that this computer does not know',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: is it http instead of https?',
}

/** Errors wrap errors (`fetch failed`, AggregateError); a circle of causes must not hold this up. */
const deepest = 8

/**
 * The reason of a failure in plain words, where the operating system gave a code that is known; looks through causes.
 */
export function systemReason(thrown: unknown): string | undefined {
  return words[systemCode(thrown) ?? '']
}

/** The reason of a failure: in plain words where the operating system gave it, else the message of the error. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof RemodelError) return thrown.message
  return systemReason(thrown) ?? (thrown instanceof Error ? thrown.message : String(thrown))
}

/** The operating system's code of a failure, its own or that of a cause. */
export function systemCode(thrown: unknown, depth = 0): string | undefined {
  if (!(thrown instanceof Error) || depth > deepest) return undefined
  const { code } = thrown as NodeJS.ErrnoException
  if (typeof code === 'string' && Object.hasOwn(words, code)) return code
  const inner: unknown[] = thrown instanceof AggregateError ? thrown.errors : [thrown.cause]
  return inner.map((one) => systemCode(one, depth + 1)).find((found) => found !== undefined)
}
