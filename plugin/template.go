package plugin

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/cli/templates"
)

// What Go's templates say of a field that an object does not have, and what they put before everything they say.
var (
	noField        = regexp.MustCompile(`at <(.*)>: can't evaluate field (\S+) in type`)
	noKey          = regexp.MustCompile(`at <(.*)>: map has no entry for key "(.*)"`)
	templatePrefix = regexp.MustCompile(`^(template parsing error: )?template: [^ ]*: `)
)

// checkFormat refuses a template that cannot be carried out for objects such as sample, before any work is done.
func checkFormat(format string, sample any) error {
	if format == "" || format == "json" {
		return nil
	}
	tmpl, err := templates.Parse(format)
	if err != nil {
		return formatError(err, nil)
	}
	err = tmpl.Option("missingkey=error").Execute(io.Discard, sample)
	if err != nil && noField.MatchString(err.Error()) { // a list or a pointer that is empty here may be full later
		return formatError(err, fieldsOf(sample))
	}
	return nil
}

// formatError says what is wrong with the template of --format, and which fields there are.
func formatError(err error, fields []string) error {
	text := err.Error()
	for _, pattern := range []*regexp.Regexp{noField, noKey} {
		found := pattern.FindStringSubmatch(text)
		if found == nil {
			continue
		}
		e := &usageError{message: fmt.Sprintf("--format: there is no %s", found[1]), hint: "--format json shows all there is"}
		if found[1] == "."+found[2] && len(fields) > 0 {
			e.message = fmt.Sprintf("--format: there is no %s; use %s", found[1], strings.Join(fields, ", "))
			e.hint = ""
		}
		return e
	}
	return usagef("--format: %s", templatePrefix.ReplaceAllString(text, ""))
}

// fieldsOf are the names by which a template reaches the parts of an object.
func fieldsOf(v any) []string {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if f.IsExported() && !f.Anonymous && f.Tag.Get("json") != "-" {
			names = append(names, "."+f.Name)
		}
	}
	return names
}

// columns are the names by which a template reaches the cells of a row with headers.
func columns(header map[string]string) []string {
	var names []string
	for name := range header {
		names = append(names, "."+name)
	}
	slices.Sort(names)
	return names
}
