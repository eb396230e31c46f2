import ipaddr from 'ipaddr.js'

/**
 * An address as a number, so that ranges are two numbers. IPv6 lies above all of IPv4, which keeps the families apart
 * without a second field.
 */
export type Ip = bigint

/** First and last address, both included. */
export type Interval = readonly [first: Ip, last: Ip]

const above = 1n << 128n
const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/

/** Reads an address; null where the text is none. */
export function parseIp(text: string): Ip | null {
  const parts = v4.exec(text)
  if (parts) {
    // By hand: this is asked for every address of every instance in every plan.
    let value = 0
    for (let part = 1; part <= 4; part++) {
      const byte = Number(parts[part])
      if (byte > 255) return null
      value = value * 256 + byte
    }
    return BigInt(value)
  }
  if (!ipaddr.IPv6.isValid(text)) return null
  return (
    above +
    BigInt(
      `0x${ipaddr.IPv6.parse(text)
        .toByteArray()
        .map((byte) => byte.toString(16).padStart(2, '0'))
        .join('')}`,
    )
  )
}

/** The usual spelling: dotted for IPv4, shortest for IPv6. */
export function formatIp(ip: Ip): string {
  if (ip < above) {
    const value = Number(ip)
    return `${Math.floor(value / 2 ** 24)}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 255}`
  }
  const hex = (ip - above).toString(16).padStart(32, '0')
  return ipaddr.fromByteArray((hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16))).toString()
}

/** `10.0.0.0/24` -> its first and last address, network and broadcast included; null where it is no block. */
export function parseBlock(text: string): { interval: Interval; family: 4 | 6; bits: number } | null {
  const [head = '', tail, more] = text.trim().split('/')
  const address = parseIp(head)
  if (address === null || tail === undefined || more !== undefined || !/^\d+$/.test(tail)) return null
  const family = address < above ? 4 : 6
  const bits = Number(tail)
  const width = family === 4 ? 32 : 128
  if (bits > width) return null
  const size = 1n << BigInt(width - bits)
  const base = family === 4 ? 0n : above
  const first = base + ((address - base) / size) * size
  return { interval: [first, first + size - 1n], family, bits }
}

/** One address, `first - last`, or a block; null where it is none of these or runs backwards. */
export function parseInterval(text: string): Interval | null {
  const trimmed = text.trim()
  const single = parseIp(trimmed)
  if (single !== null) return [single, single]
  const block = parseBlock(trimmed)
  if (block) return block.interval
  const [from, to, more] = trimmed.split('-')
  if (from === undefined || to === undefined || more !== undefined) return null
  const [first, last] = [parseIp(from.trim()), parseIp(to.trim())]
  return first === null || last === null || last < first ? null : [first, last]
}

export function formatInterval([first, last]: Interval): string {
  return first === last ? formatIp(first) : `${formatIp(first)} - ${formatIp(last)}`
}
