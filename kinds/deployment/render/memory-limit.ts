/** Where the fields of a WebAssembly binary lie: https://webassembly.github.io/spec/core/binary/modules.html */
const memorySection = 5
const headerBytes = 8
/** 64 KiB: the unit in which WebAssembly counts memory. */
const pageBytes = 2 ** 16

/**
 * The same module with an upper bound for its memory, in bytes. Beyond it `memory.grow` fails inside,
 * which an interpreter reports as an error of the program that asked for more. Throws where the module
 * brings no memory of its own.
 */
export function limitMemory(module: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  for (let at = headerBytes; at < module.length; ) {
    const id = module[at]!
    const size = readNumber(module, at + 1)
    const end = size.next + size.value
    if (id === memorySection) {
      const count = readNumber(module, size.next)
      const least = readNumber(module, count.next + 1)
      if (count.value !== 1) throw new Error('the module has more than one memory')
      const most = Math.max(least.value, Math.floor(bytes / pageBytes))
      // One memory; flag 1: it has an upper bound.
      const body = [1, 1, ...writeNumber(least.value), ...writeNumber(most)]
      return joined([
        module.subarray(0, at),
        Uint8Array.from([id, ...writeNumber(body.length), ...body]),
        module.subarray(end),
      ])
    }
    at = end
  }
  throw new Error('the module has no memory of its own')
}

/** LEB128 without a sign: seven bits a byte, the lowest first. */
function readNumber(bytes: Uint8Array, at: number): { value: number; next: number } {
  let [value, next, weight] = [0, at, 1]
  for (;;) {
    const byte = bytes[next++]!
    value += (byte & 0x7f) * weight
    if (byte < 0x80) return { value, next }
    weight *= 128
  }
}

function writeNumber(value: number): number[] {
  const rest = Math.floor(value / 128)
  return rest === 0 ? [value] : [(value % 128) | 0x80, ...writeNumber(rest)]
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
