package archive

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is a name as JSON can hold it: itself where it is UTF-8, else escaped as in the contents table. Different names have different texts.
func Text(name string) string { return escapeName(name) }

// escapeName gives a name a form that is valid UTF-8; different names have different forms.
func escapeName(name string) string {
	if utf8.ValidString(name) && !strings.Contains(name, `\x`) {
		return name
	}
	var b strings.Builder
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRuneInString(name[i:])
		if r == '\\' || r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, name[i])
		} else {
			b.WriteString(name[i : i+n])
		}
		i += n
	}
	return b.String()
}

// checkName refuses names that must not stand in an archive.
func checkName(name string) error {
	if name == "" || strings.HasPrefix(name, "/") || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("unsafe name %q", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." {
			return fmt.Errorf("unsafe name %q", name)
		}
	}
	if strings.HasPrefix(name, "project/") && len(name) > maxProjectName {
		return fmt.Errorf("unsafe name %q: too long", name[:maxProjectName])
	}
	if !strings.HasPrefix(name, "data/") && !strings.HasPrefix(name, "project/") && name != manifestName {
		return fmt.Errorf("unsafe name %q: outside of data/ and project/", name)
	}
	return nil
}

// sourceOf returns the first two parts of a name: data/NAME.
func sourceOf(name string) string {
	first := strings.IndexByte(name, '/')
	if first < 0 {
		return name
	}
	second := strings.IndexByte(name[first+1:], '/')
	if second < 0 {
		return name
	}
	return name[:first+1+second]
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
