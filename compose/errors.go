package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/cli"
)

// ErrNoFile tells that there is no compose file where it was looked for.
var ErrNoFile = errors.New("no compose file")

// FlagError says that a flag gives a setting a value that it cannot have.
type FlagError struct{ Err error }

func (e *FlagError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *FlagError) Unwrap() error { return e.Err }

// noFile says where the compose file was looked for and what to do.
func (o LoadOptions) noFile() error {
	dir := o.WorkingDir
	if o.ProjectDirectory != "" {
		dir = o.ProjectDirectory
	}
	return fmt.Errorf("%w in %s or any folder above it (looked for %s): go to the project's folder or name the file with -f",
		ErrNoFile, dir, strings.Join(cli.DefaultFileNames, ", "))
}

func readComposeFile(file string) ([]byte, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s: name an existing one with -f", ErrNoFile, file)
	}
	if fi, statErr := os.Stat(file); statErr == nil && fi.IsDir() {
		return nil, fmt.Errorf("%s is a folder, not a compose file: name the file in it with -f", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read compose file: %w", err)
	}
	return b, nil
}

// lineError is an error of Load or Config as one line in our style; it unwraps to what it was.
type lineError struct {
	text string
	err  error
}

func (e *lineError) Error() string { return e.text }
func (e *lineError) Unwrap() error { return e.err }

// loadError turns whatever compose-go says into one lower-case line, with FILE:LINE where it names a line.
func loadError(err error) error {
	text := oneLine(err.Error())
	if m := parseFailure.FindStringSubmatch(text); m != nil {
		for _, place := range []*regexp.Regexp{linePlace, rangePlace} {
			if at := place.FindStringSubmatch(m[2]); at != nil {
				return &lineError{text: m[1] + ":" + strings.Join(at[1:len(at)-1], ":") + ": invalid yaml: " + at[len(at)-1], err: err}
			}
		}
	}
	if m := unknownField.FindStringSubmatch(text); m != nil {
		return &lineError{text: m[1] + ": unknown key " + m[2], err: err}
	}
	return &lineError{text: "load project: " + text, err: err}
}

// How compose-go wraps the words of its yaml parser, the two ways in which these say a place, and how it names a key that it does not know.
var (
	parseFailure = regexp.MustCompile(`^failed to parse (.+?): (.*(?:\bL\d+\.C\d+|\bline \d+).*)$`)
	rangePlace   = regexp.MustCompile(`\bL(\d+)\.C(\d+)(?:-L\d+\.C\d+)?: (.*)$`)
	unknownField = regexp.MustCompile(`^validating (.+): (\S+) false schema$`)
	linePlace    = regexp.MustCompile(`^.*: line (\d+): (.*)$`)
)

func oneLine(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, "\n", " ")), " ")
	first, size := utf8.DecodeRuneInString(text)
	second, _ := utf8.DecodeRuneInString(text[size:])
	if unicode.IsUpper(first) && !unicode.IsUpper(second) {
		text = string(unicode.ToLower(first)) + text[size:]
	}
	return text
}
