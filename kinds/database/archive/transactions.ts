/**
 * Which transactions end in a log: what a restore to the number of a transaction needs, and PostgreSQL says only
 * when it has replayed all of it. Format: `access/xlogrecord.h`, `access/xlog_internal.h`, `access/xact.h`; the
 * same since PostgreSQL 9.5.
 */

const pageBytes = 8192
const shortHeader = 24
const longHeader = 40
const isLong = 0x0002
const isContinued = 0x0001
const recordHeader = 24
/** Resource manager of transactions, and the ends among its records. */
const transactions = 1
const operation = 0x70
const ends = { commit: 0x00, abort: 0x20, commitPrepared: 0x30, abortPrepared: 0x40 }

/**
 * Reads files of a log in their order; `ends` says whether the transaction, of which 32 bits are in the
 * log, has ended in them.
 */
export class TransactionEnds {
  readonly #wanted: number
  /** What was read of the record that goes on in the next file. */
  #open: { head: Buffer; left: number } | null = null
  #found = false

  constructor(xid: bigint) {
    this.#wanted = Number(xid & 0xffff_ffffn)
  }

  get found(): boolean {
    return this.#found
  }

  /** A file as the server wrote it; what is behind its last record is zeros, or of an earlier use of the file. */
  read(file: Buffer): void {
    const { bytes, continued } = withoutHeaders(file)
    let at = aligned(continued)
    if (this.#open && continued === this.#open.left) {
      this.#look(Buffer.concat([this.#open.head, bytes.subarray(0, continued)]))
    }
    if (continued > bytes.length) {
      if (this.#open) this.#open.left -= bytes.length
      return
    }
    this.#open = null
    while (at + 4 <= bytes.length) {
      const length = bytes.readUInt32LE(at)
      if (length < recordHeader) return
      const record = bytes.subarray(at, at + length)
      if (record.length < length) {
        this.#open = { head: Buffer.from(record.subarray(0, 4096)), left: length - record.length }
        return
      }
      this.#look(record)
      at += aligned(length)
    }
  }

  #look(record: Buffer): void {
    if (this.#found || record.length < recordHeader || record[17] !== transactions) return
    const end = record[16]! & operation
    if (end === ends.commit || end === ends.abort) this.#found = record.readUInt32LE(4) === this.#wanted
    // A prepared transaction is ended by another one, which names it somewhere in its record.
    if (end === ends.commitPrepared || end === ends.abortPrepared) {
      const name = Buffer.alloc(4)
      name.writeUInt32LE(this.#wanted)
      this.#found = record.subarray(recordHeader).includes(name)
    }
  }
}

const aligned = (length: number) => Math.ceil(length / 8) * 8

/**
 * The pages of a file without their headers, up to the first page that is not of this file; how many bytes belong
 * to a record before it.
 */
function withoutHeaders(file: Buffer): { bytes: Buffer; continued: number } {
  const pages: Buffer[] = []
  let continued = 0
  for (let at = 0; at + pageBytes <= file.length; at += pageBytes) {
    const info = file.readUInt16LE(at + 2)
    const magic = file.readUInt16LE(at)
    if (magic === 0 || magic !== file.readUInt16LE(0)) break
    if (file.readBigUInt64LE(at + 8) !== file.readBigUInt64LE(8) + BigInt(at)) break
    if (at === 0 && (info & isContinued) !== 0) continued = file.readUInt32LE(16)
    pages.push(file.subarray(at + ((info & isLong) === 0 ? shortHeader : longHeader), at + pageBytes))
  }
  return { bytes: Buffer.concat(pages), continued }
}
