package plugin

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/audit"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/inventory"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/validate"
)

func TestEveryJSONFieldIsDocumented(t *testing.T) {
	document, err := os.ReadFile("../docs/json-output.md")
	assert.NilError(t, err)
	sections := sectionsOf(string(document))
	for section, all := range map[string][]any{
		"backup": {backup.Result{}, backupPlan{}}, "restore": {restore.Result{}, restore.Plan{}, restore.Target{}, restore.Changes{}, validate.Unit{}, validate.Passed{}}, "aside": {asideObject{}, restore.Aside{}}, "recover": {recoveryPlan{}, recoveryService{}}, "list": {backupObject{}}, "inspect": {inspection{}}, "diff": {diffObject{}, diffSide{}, inventory.CollectionDiff{}, inventory.RecordDiff{}}, "verify": {verification{}}, "validate": {validate.Report{}, validate.Plan{}, validate.Source{}, validate.CopyPlan{}, validatePlan{}, checkObject{}, inventory.Result{}, inventory.Finding{}},
		"audit": {audit.Record{}, audit.Entry{}, audit.Report{}, audit.Finding{}, audit.Head{}}, "sources": {sourceObject{}}, "config": {configValue{}}, "version": {build{}},
	} {
		text := sections[section]
		if section == "inspect" {
			text += sections["list"]
		}
		for _, v := range all {
			for _, field := range jsonFields(reflect.TypeOf(v)) {
				assert.Check(t, strings.Contains(text, "`"+field+"`"), "field %s of %s", field, section)
			}
		}
	}
}

// sectionsOf cuts a document at its second headings.
func sectionsOf(document string) map[string]string {
	sections := map[string]string{}
	for _, part := range strings.Split(document, "\n## ")[1:] {
		title, text, _ := strings.Cut(part, "\n")
		sections[title] = text
	}
	return sections
}

// jsonFields are the names of a type's fields in JSON, those of embedded and listed structs of this package too.
func jsonFields(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		inner := f.Type
		if inner.Kind() == reflect.Slice {
			inner = inner.Elem()
		}
		if f.Tag.Get("json") != "-" && inner.Kind() == reflect.Struct && inner.PkgPath() == t.PkgPath() {
			names = append(names, jsonFields(inner)...)
		}
		if f.Anonymous {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		names = append(names, name)
	}
	return names
}

func TestEveryCommandHasExamplesAGroupAndARowInTheReadme(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	assert.NilError(t, err)
	rows := regexp.MustCompile("(?m)^\\| \\[`([a-z]+)[^`]*`\\]\\(docs/reference/memsys_([a-z]+)\\.md\\) \\| (.+) \\|$").FindAllStringSubmatch(string(readme), -1)
	have := map[string]string{}
	for _, row := range rows {
		assert.Equal(t, row[1], row[2])
		have[row[1]] = row[3]
	}
	want := map[string]string{}
	for _, cmd := range newApp(&world{}).root().Commands() {
		assert.Check(t, cmd.HasExample(), cmd.Name())
		assert.Check(t, cmd.GroupID != "", cmd.Name())
		if cmd.Name() != "help" && !cmd.Hidden {
			want[cmd.Name()] = cmd.Short
		}
	}
	assert.DeepEqual(t, have, want)
}
