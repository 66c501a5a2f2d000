package progress

import "github.com/docker/go-units"

// Size is a number of bytes as a person reads it: 1.23MB.
func Size(n int64) string { return units.HumanSizeWithPrecision(float64(n), 3) }
