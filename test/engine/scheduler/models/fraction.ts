/** Exact rational numbers over bigint: what the reference models compute tags with. */
export class Fraction {
  static readonly ZERO = new Fraction(0n, 1n)
  readonly numerator: bigint
  /** Positive; the fraction is in lowest terms. */
  readonly denominator: bigint

  private constructor(numerator: bigint, denominator: bigint) {
    this.numerator = numerator
    this.denominator = denominator
  }

  /** `numerator / denominator`; the denominator must not be zero. */
  static of(numerator: bigint | number, denominator: bigint | number = 1n): Fraction {
    const n = BigInt(numerator)
    const d = BigInt(denominator)
    let a = n < 0n ? -n : n
    let b = d < 0n ? -d : d
    while (b !== 0n) [a, b] = [b, a % b]
    const divisor = d < 0n ? -a : a
    return new Fraction(n / divisor, d / divisor)
  }

  plus(other: Fraction): Fraction {
    return Fraction.of(
      this.numerator * other.denominator + other.numerator * this.denominator,
      this.denominator * other.denominator,
    )
  }

  minus(other: Fraction): Fraction {
    return this.plus(new Fraction(-other.numerator, other.denominator))
  }

  times(other: Fraction): Fraction {
    return Fraction.of(this.numerator * other.numerator, this.denominator * other.denominator)
  }

  over(other: Fraction): Fraction {
    return Fraction.of(this.numerator * other.denominator, this.denominator * other.numerator)
  }

  /** Negative, zero or positive as this is less than, equal to or more than the other. */
  compare(other: Fraction): number {
    const difference = this.numerator * other.denominator - other.numerator * this.denominator
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  }

  max(other: Fraction): Fraction {
    return this.compare(other) >= 0 ? this : other
  }

  toNumber(): number {
    return Number(this.numerator) / Number(this.denominator)
  }

  toString(): string {
    return this.denominator === 1n ? `${this.numerator}` : `${this.numerator}/${this.denominator}`
  }
}
