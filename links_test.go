package arch

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"gotest.tools/v3/assert"
)

// A link of Markdown with its target, a heading, and the code in which neither counts.
var (
	linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fencedCode = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	inlineCode = regexp.MustCompile("``[^`]+``|`([^`\n]+)`")
)

func TestLinksOfTheDocumentsLeadToFilesAndHeadings(t *testing.T) {
	links := 0
	for _, document := range documents(t) {
		text := readDocument(t, document)
		for _, link := range linkTarget.FindAllStringSubmatch(inlineCode.ReplaceAllString(text, ""), -1) {
			if strings.Contains(link[1], "://") || strings.HasPrefix(link[1], "mailto:") {
				continue
			}
			links++
			checkLink(t, document, link[1])
		}
	}
	assert.Assert(t, links > 20, "found only %d links", links)
}

// documents are all Markdown files that a person reads.
func documents(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("*.md")
	assert.NilError(t, err)
	for _, dir := range []string{"docs", "examples", "e2e", "bench"} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".md") {
				all = append(all, path)
			}
			return err
		})
		assert.NilError(t, err)
	}
	return all
}

// readDocument is a document without its blocks of code.
func readDocument(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	assert.NilError(t, err)
	return fencedCode.ReplaceAllString(string(data), "")
}

func checkLink(t *testing.T, document, link string) {
	t.Helper()
	file, anchor, _ := strings.Cut(link, "#")
	target := document
	if file != "" {
		target = filepath.Join(filepath.Dir(document), filepath.FromSlash(file))
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s links to %s: %v", document, link, err)
		return
	}
	if anchor == "" {
		return
	}
	for _, h := range heading.FindAllStringSubmatch(readDocument(t, target), -1) {
		if anchorOf(h[1]) == anchor {
			return
		}
	}
	t.Errorf("%s links to %s: no such heading", document, link)
}

// anchorOf is the name by which a link reaches a heading.
func anchorOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
