package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// schemaName is how the user's schema is called inside the library; nothing of that name is read.
const schemaName = "memsys:schema"

// CheckSchema tells what is wrong with a JSON Schema for Options.Schema.
func CheckSchema(schema []byte) error {
	_, err := compileSchema(schema)
	return err
}

func compileSchema(schema []byte) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, fmt.Errorf("read JSON Schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(nothing{})
	if err := c.AddResource(schemaName, doc); err != nil {
		return nil, fmt.Errorf("read JSON Schema: %w", err)
	}
	s, err := c.Compile(schemaName)
	if err != nil {
		return nil, fmt.Errorf("compile JSON Schema: %w", err)
	}
	return s, nil
}

// nothing loads no other schema: neither files nor the network.
type nothing struct{}

// Load implements jsonschema.URLLoader.
func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: other schemas are not read", url)
}

// recordSchema is what each record must fulfil.
type recordSchema struct {
	schema *jsonschema.Schema
	err    error
}

func newRecordSchema(schema []byte) *recordSchema {
	s := &recordSchema{}
	s.schema, s.err = compileSchema(schema)
	return s
}

// check holds a record to the schema.
func (s *recordSchema) check(f *jsonFile, one jsonRecord) {
	f.r.Checked(jsonSchema, 1)
	found := Finding{Path: f.path, Line: one.line, Column: one.column, Object: one.id, Status: Unchecked}
	switch {
	case s.err != nil:
		found = Finding{Status: Unchecked, Text: s.err.Error()}
	case one.canonical == nil:
		found.Text = fmt.Sprintf("a record of more than %d bytes is not held to the schema", maxCanonical)
	default:
		found.Status, found.Text = s.judge(one.canonical)
	}
	if found.Text != "" {
		f.r.Find(jsonSchema, found)
	}
}

// judge tells what of a record is not as the schema wants it.
func (s *recordSchema) judge(record []byte) (Status, string) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(record))
	if err != nil {
		return Unchecked, "cannot be held to the schema: " + err.Error()
	}
	err = s.schema.Validate(value)
	if err == nil {
		return OK, ""
	}
	var wrong *jsonschema.ValidationError
	if !errors.As(err, &wrong) {
		return Unchecked, "cannot be held to the schema: " + err.Error()
	}
	return Damaged, "does not fulfil the schema: " + firstCause(wrong)
}

// firstCause says the first of the causes that have no cause of their own.
func firstCause(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if len(e.InstanceLocation) == 0 {
		return text
	}
	return "/" + strings.Join(e.InstanceLocation, "/") + ": " + text
}
