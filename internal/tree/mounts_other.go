//go:build !linux

package tree

// MountsBelow finds none: here a rename that meets a mount fails, and the swap is reverted.
func MountsBelow(string) ([]string, error) { return nil, nil }

// Within is not known here.
func Within(string) (string, error) { return "", nil }
