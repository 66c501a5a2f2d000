package archive

import "hash/crc32"

// combineCRC returns the CRC-32 of two byte strings put together, from the CRC of each and the length of the second.
func combineCRC(first, second uint32, length int64) uint32 {
	// CRC-32 is a remainder of polynomials over GF(2): appending n bytes multiplies the first remainder by x^(8n).
	shift := uint32(1) << 31       // x^0 in reflected order
	power := uint32(1) << (31 - 8) // x^8
	for n := length; n > 0; n >>= 1 {
		if n&1 != 0 {
			shift = multiply(shift, power)
		}
		power = multiply(power, power)
	}
	return multiply(shift, first) ^ second
}

// multiply multiplies two polynomials modulo that of CRC-32, all in reflected order.
func multiply(a, b uint32) uint32 {
	var product uint32
	for bit := uint32(1) << 31; bit != 0; bit >>= 1 {
		if a&bit != 0 {
			product ^= b
		}
		low := b & 1
		b >>= 1
		if low != 0 {
			b ^= crc32.IEEE
		}
	}
	return product
}
