//go:build !linux && !darwin

package tree

// ownersKept tells that owners, modes and exact times exist here, so that they can be read back.
const ownersKept = false
