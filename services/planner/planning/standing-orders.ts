import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto'
import type { Blobstore } from '../../../shared/blobstore/blobstore.ts'
import type { Ledger, OrderRecord } from '../../../shared/ledger/ledger.ts'
import { StandingOrder } from '../../../shared/model/standing-order.ts'
import { RemodelError } from '../../../shared/runtime/errors.ts'
import type { Secrets } from '../../../shared/runtime/secrets.ts'

const cipher = 'aes-256-gcm'
const [nonceBytes, tagBytes] = [12, 16]

/**
 * The orders that deployments were deployed by, version by version. Documents hold secrets, so each order
 * lies in the blobstore encrypted, with a key of its deployment's own; the ledger has its digest.
 */
export class StandingOrders {
  readonly #ledger: Ledger
  readonly #blobs: Blobstore
  readonly #secrets: Secrets

  constructor(ledger: Ledger, blobs: Blobstore, secrets: Secrets) {
    this.#ledger = ledger
    this.#blobs = blobs
    this.#secrets = secrets
  }

  /** Puts an order where plans may name it; answers its digest, the same for the same order. */
  async put(deployment: string, order: StandingOrder): Promise<string> {
    const text = Buffer.from(JSON.stringify(order))
    // Of the text itself: the same order is the same blob, and no nonce comes with two texts.
    const nonce = createHmac('sha256', this.#key(deployment, 'nonce')).update(text).digest().subarray(0, nonceBytes)
    const sealing = createCipheriv(cipher, this.#key(deployment, 'text'), nonce)
    const sealed = [nonce, sealing.update(text), sealing.final(), sealing.getAuthTag()]
    return (await this.#blobs.put(Buffer.concat(sealed))).digest
  }

  /** The newest first. Throws `not-found` where none is kept. */
  async list(deployment: string): Promise<OrderRecord[]> {
    const orders = await this.#ledger.orders(deployment)
    if (orders.length > 0) return orders
    throw new RemodelError('not-found', `no order of a deployment ${deployment} is kept`)
  }

  /**
   * One of them with its documents, the newest unless a version is given. Throws `not-found`, and `infrastructure`
   * where it cannot be read with the key of this planner's home.
   */
  async read(deployment: string, version?: number): Promise<OrderRecord & { order: StandingOrder }> {
    const orders = await this.list(deployment)
    const record = version === undefined ? orders[0] : orders.find((one) => one.version === version)
    if (record) return { ...record, order: this.#open(deployment, record, await this.#blobs.get(record.blob)) }
    const kept = `${orders.at(-1)!.version} to ${orders[0]!.version}`
    throw new RemodelError('not-found', `version ${version} of ${deployment} is not kept; versions ${kept} are`)
  }

  /**
   * What a deployment goes back to: the version before the newest that ended well, of one that is gone the newest.
   * Throws `conflict` where no such version is known.
   */
  async before(deployment: string): Promise<number> {
    const orders = await this.list(deployment)
    const { materials } = await this.#ledger.floorplan(deployment)
    const older = materials.length === 0 ? orders : orders.slice(1)
    for (const { version, plan } of older) if (await this.isDone(deployment, plan)) return version
    const known = older.length === 0 ? 'there is no older version' : 'no older version is known to have ended well'
    throw new RemodelError('conflict', `${deployment} cannot be rolled back: ${known}; name one with --to`)
  }

  /** Whether a plan ended well; of one that was forgotten that is not known. */
  async isDone(deployment: string, plan: string): Promise<boolean> {
    const record = await this.#ledger.planRecord(deployment, plan).catch((error) => {
      if (error instanceof RemodelError && error.code === 'not-found') return null
      throw error
    })
    return record?.state === 'done'
  }

  #open(deployment: string, { version }: OrderRecord, sealed: Buffer): StandingOrder {
    const opening = createDecipheriv(cipher, this.#key(deployment, 'text'), sealed.subarray(0, nonceBytes))
    opening.setAuthTag(sealed.subarray(-tagBytes))
    const text = [opening.update(sealed.subarray(nonceBytes, -tagBytes))]
    try {
      text.push(opening.final())
    } catch (cause) {
      const message = `version ${version} of ${deployment} was encrypted with another secret.key than that of this home`
      throw new RemodelError('infrastructure', message, { cause })
    }
    return StandingOrder.parse(JSON.parse(Buffer.concat(text).toString()))
  }

  #key(deployment: string, what: 'text' | 'nonce'): Buffer {
    return this.#secrets.derive('standing-order', deployment, what)
  }
}
