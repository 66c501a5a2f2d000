package inventory

import "github.com/memsys/docker-memsys/internal/archive"

// The most collections that a manifest lists: of one source, and of all together.
const (
	ListedOfSource = 10_000
	ListedOfAll    = 50_000
)

// Shorten limits an inventory to n collections; further ones are counted.
func Shorten(v Inventory, n int) Inventory {
	n = max(n, 0)
	if len(v.Collections) <= n {
		return v
	}
	for _, c := range v.Collections[n:] {
		v.More++
		v.MoreRecords += c.Records
	}
	v.Collections = append([]archive.Collection(nil), v.Collections[:n]...)
	return v
}
