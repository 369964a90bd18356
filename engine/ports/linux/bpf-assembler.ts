/**
 * An assembler for eBPF programs (RFC 9669). The one idea: one method an instruction, labels in place of offsets;
 * what it cannot encode is a fault of the program's author and asserts. Whether the program is safe, the kernel's
 * verifier says.
 */
import { strict as assert } from 'node:assert'

/** A register: R0 answers, R1..R5 arguments (lost in calls), R6..R9 kept over calls, R10 end of the stack. */
export interface Register {
  readonly register: number
}

const register = (number: number): Register => ({ register: number })

export const R0 = register(0)
export const R1 = register(1)
export const R2 = register(2)
export const R3 = register(3)
export const R4 = register(4)
export const R5 = register(5)
export const R6 = register(6)
export const R7 = register(7)
export const R8 = register(8)
export const R9 = register(9)
export const R10 = register(10)

/** Helpers of the kernel by number (linux/bpf.h). */
export const HELPER = {
  mapLookup: 1,
  skbPullData: 39,
  setHashInvalid: 41,
  skbAdjustRoom: 50,
} as const

/** Width of a load or store. */
export type Width = 'u8' | 'u16' | 'u32' | 'u64'
/** `>` and its kin compare without signs. */
export type Comparison = '==' | '!=' | '>' | '>=' | '<' | '<=' | '&'
export type Arithmetic = 'add' | 'sub' | 'or' | 'and' | 'lsh' | 'rsh' | 'xor' | 'mov'
/** A register, or a signed 32-bit number (unsigned ones are taken as their bits). */
export type Operand = Register | number

const WIDTH: Readonly<Record<Width, number>> = { u32: 0x00, u16: 0x08, u8: 0x10, u64: 0x18 }
const COMPARISON: Readonly<Record<Comparison, number>> = {
  '==': 0x10,
  '>': 0x20,
  '>=': 0x30,
  '&': 0x40,
  '!=': 0x50,
  '<': 0xa0,
  '<=': 0xb0,
}
const ARITHMETIC: Readonly<Record<Arithmetic, number>> = {
  add: 0x00,
  sub: 0x10,
  or: 0x40,
  and: 0x50,
  lsh: 0x60,
  rsh: 0x70,
  xor: 0xa0,
  mov: 0xb0,
}

const CLASS_LOAD = 0x61
const CLASS_STORE_NUMBER = 0x62
const CLASS_STORE_REGISTER = 0x63
const CLASS_ATOMIC = 0xc3
const CLASS_ARITHMETIC_32 = 0x04
const CLASS_ARITHMETIC_64 = 0x07
const JUMP_ALWAYS = 0x05
const CLASS_JUMP_64 = 0x05
const SOURCE_REGISTER = 0x08
const LOAD_64_NUMBER = 0x18
const SOURCE_MAP_DESCRIPTOR = register(1)
const TO_BIG_ENDIAN = 0xdc
const CALL = 0x85
const EXIT = 0x95

const INSTRUCTION_BYTES = 8
/** What the kernel takes of an unprivileged program, far above what is written here. */
const MAX_INSTRUCTIONS = 4096
const NONE = R0

interface Instruction {
  readonly code: number
  readonly target: Register
  readonly source: Register
  readonly offset: number
  readonly number: number
  /** Where a jump goes: its offset is known at the end. */
  readonly label?: string
}

/** Collects instructions; every method answers the assembler itself. */
export class BpfAssembler {
  readonly #instructions: Instruction[] = []
  readonly #labels = new Map<string, number>()

  /** Names the next instruction. */
  label(name: string): this {
    assert(!this.#labels.has(name), `label ${name} stands twice`)
    this.#labels.set(name, this.#instructions.length)
    return this
  }

  /** target = value, all 64 bits; a number is sign-extended. */
  move(target: Register, value: Operand): this {
    return this.compute('mov', target, value)
  }

  /** target = target OP value in 64 bits. */
  compute(operation: Arithmetic, target: Register, value: Operand): this {
    return this.#operate(CLASS_ARITHMETIC_64 | ARITHMETIC[operation], target, value)
  }

  /** target = target OP value in 32 bits; the upper ones become 0. */
  compute32(operation: Arithmetic, target: Register, value: Operand): this {
    return this.#operate(CLASS_ARITHMETIC_32 | ARITHMETIC[operation], target, value)
  }

  /** target = the value at base + offset, zero-extended, in the machine's byte order. */
  load(width: Width, target: Register, base: Register, offset: number): this {
    return this.#emit({ code: CLASS_LOAD | WIDTH[width], target, source: base, offset, number: 0 })
  }

  /** Writes a value to base + offset in the machine's byte order. */
  store(width: Width, base: Register, offset: number, value: Operand): this {
    const [code, source, number] =
      typeof value === 'number' ? [CLASS_STORE_NUMBER, NONE, value] : [CLASS_STORE_REGISTER, value, 0]
    return this.#emit({ code: code | WIDTH[width], target: base, source, offset, number })
  }

  /** Adds to what stands at base + offset, atomically. */
  addAtomic(width: 'u32' | 'u64', base: Register, offset: number, value: Register): this {
    return this.#emit({ code: CLASS_ATOMIC | WIDTH[width], target: base, source: value, offset, number: 0 })
  }

  /** Turns the low bits from the machine's order to the network's, or back; the upper ones become 0. */
  swapToNetwork(target: Register, bits: 16 | 32 | 64): this {
    return this.#emit({ code: TO_BIG_ENDIAN, target, source: NONE, offset: 0, number: bits })
  }

  /** Goes to a label, which stands further down. */
  jump(label: string): this {
    return this.#emit({ code: JUMP_ALWAYS, target: NONE, source: NONE, offset: 0, number: 0, label })
  }

  /** Goes to a label if the comparison holds for all 64 bits. */
  jumpIf(left: Register, comparison: Comparison, right: Operand, label: string): this {
    const code = CLASS_JUMP_64 | COMPARISON[comparison]
    return this.#operate(code, left, right, label)
  }

  /** target = the map behind a file descriptor. */
  loadMap(target: Register, descriptor: number): this {
    this.#emit({ code: LOAD_64_NUMBER, target, source: SOURCE_MAP_DESCRIPTOR, offset: 0, number: descriptor })
    return this.#emit({ code: 0, target: NONE, source: NONE, offset: 0, number: 0 })
  }

  /** R0 = helper(R1..R5). */
  call(helper: number): this {
    return this.#emit({ code: CALL, target: NONE, source: NONE, offset: 0, number: helper })
  }

  /** Ends with R0 as the answer. */
  exit(): this {
    return this.#emit({ code: EXIT, target: NONE, source: NONE, offset: 0, number: 0 })
  }

  /** The program as bytes, 8 for each instruction, in the machine's (little-endian) order. */
  assemble(): Uint8Array {
    const bytes = new Uint8Array(this.#instructions.length * INSTRUCTION_BYTES)
    const view = new DataView(bytes.buffer)
    for (const [index, each] of this.#instructions.entries()) {
      const at = index * INSTRUCTION_BYTES
      const offset = each.label === undefined ? each.offset : this.#distance(index, each.label)
      assert(offset >= -0x8000 && offset <= 0x7fff, `instruction ${index}: offset ${offset} out of bounds`)
      bytes[at] = each.code
      bytes[at + 1] = (each.source.register << 4) | each.target.register
      view.setInt16(at + 2, offset, true)
      view.setInt32(at + 4, each.number, true)
    }
    return bytes
  }

  #operate(code: number, target: Register, value: Operand, label?: string): this {
    const to = label === undefined ? {} : { label }
    return typeof value === 'number'
      ? this.#emit({ code, target, source: NONE, offset: 0, number: value, ...to })
      : this.#emit({ code: code | SOURCE_REGISTER, target, source: value, offset: 0, number: 0, ...to })
  }

  #emit(instruction: Instruction): this {
    assert(this.#instructions.length < MAX_INSTRUCTIONS, 'the program is too long')
    this.#instructions.push(instruction)
    return this
  }

  /** Instructions between the one after a jump and its label. */
  #distance(index: number, label: string): number {
    const at = this.#labels.get(label)
    assert(at !== undefined, `there is no label ${label}`)
    assert(at > index, `label ${label} stands before a jump to it: the program could loop`)
    return at - index - 1
  }
}
