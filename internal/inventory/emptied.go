package inventory

// What is said of files that may have lost all they held, or may never have held anything: only what was in them before tells.
const (
	emptyLines    = "is empty"
	emptyDatabase = "is empty: a database without a table, or one that lost its content"
)

// MayBeEmptied tells whether a finding is about a file that holds nothing, which is damage only if it held something; zeros where it has bytes, and they are zeros.
func MayBeEmptied(f Finding) (may, zeros bool) {
	switch {
	case f.Status != Warning:
	case f.Check == jsonSyntax.ID:
		return f.Text == emptyLines, false
	case f.Check == checkHeader.ID:
		return f.Text == emptyDatabase || f.Text == zeroHeader, f.Text == zeroHeader
	}
	return false, false
}
