package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"syscall"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/archive"
	"github.com/memsys/docker-memsys/internal/backup"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/restore"
	"github.com/memsys/docker-memsys/internal/tree"
)

// crossing are errors that operations end with, by the name that the code has for them.
func crossing() map[string]error {
	damage := []archive.Damage{{Path: "data/a", Offset: 7, Reason: "sum differs"}}
	cause := fmt.Errorf("write /data/a: %w", syscall.ENOSPC)
	return map[string]error{
		"backup.NoSpaceError":     &backup.NoSpaceError{Dir: "/backups", Need: 3, Free: 2},
		"backup.ErrNothing":       errors.Join(backup.ErrNothing, errors.New("source data: gone")),
		"backup.DamagedError":     &backup.DamagedError{Damage: damage},
		"restore.StuckError":      &restore.StuckError{Err: cause, Where: []string{"new in /a", "old in /b"}},
		"restore.RevertedError":   &restore.RevertedError{Err: cause},
		"restore.DamagedError":    &restore.DamagedError{Backup: "b.tar.gz", Damage: damage},
		"restore.UnknownError":    &restore.UnknownError{What: "source", Name: "x", Known: []string{"data"}},
		"restore.PatternError":    &restore.PatternError{Err: errors.New("--path: [")},
		"restore.RefusedError":    &restore.RefusedError{Refusals: []restore.Refusal{{Reason: restore.NoSpace, Object: "/", Text: "no space"}}},
		"restore.NotEmptyError":   &restore.NotEmptyError{Dir: "/to"},
		"restore.MapError":        &restore.MapError{},
		"restore.NoUndoError":     &restore.NoUndoError{Why: "nothing is on record"},
		"engine.ErrUnreachable":   &engine.UnreachableError{Endpoint: "ssh://host", Err: errors.New("refused")},
		"engine.ErrNotFound":      fmt.Errorf("volume v: %w", engine.ErrNotFound),
		"engine.ErrConflict":      fmt.Errorf("volume v: %w", engine.ErrConflict),
		"archive.ErrNotOurs":      fmt.Errorf("open: %w", archive.ErrNotOurs),
		"archive.ErrNewer":        fmt.Errorf("open: %w", archive.ErrNewer),
		"tree.ErrTorn":            fmt.Errorf("swap: %w", tree.ErrTorn),
		"syscall.EROFS":           &fs.PathError{Op: "open", Path: "/data/a", Err: syscall.EROFS},
		"fs.ErrPermission":        &fs.PathError{Op: "open", Path: "/data/a", Err: syscall.EACCES},
		"fs.ErrNotExist":          &fs.PathError{Op: "open", Path: "/data/a", Err: syscall.ENOENT},
		"context.Canceled":        &restore.RevertedError{Err: context.Canceled},
		"errInterrupted":          &restore.RevertedError{Err: errInterrupted},
		"outcome":                 unreadableArchive("b.tar.gz", "/b.tar.gz", archive.ErrNotOurs),
		"restore.StuckError deep": fmt.Errorf("recover: %w", &restore.StuckError{Err: errors.Join(cause, fs.ErrPermission), Where: []string{"a"}}),
	}
}

// TestErrorsEndARunTheSameWayThroughAHelper: exit code, message and hint.
func TestErrorsEndARunTheSameWayThroughAHelper(t *testing.T) {
	for name, want := range crossing() {
		t.Run(name, func(t *testing.T) {
			got := crossed(t, want)
			assert.DeepEqual(t, verdictOf(got), verdictOf(want))
			assert.Equal(t, judge(got, true, false), judge(want, true, false))
			for _, sentinel := range []error{
				backup.ErrNothing, engine.ErrUnreachable, engine.ErrNotFound, engine.ErrConflict, archive.ErrNotOurs, archive.ErrNewer, tree.ErrTorn,
				syscall.EROFS, syscall.ENOSPC, fs.ErrPermission, fs.ErrNotExist, context.Canceled, errInterrupted,
			} {
				assert.Equal(t, errors.Is(got, sentinel), errors.Is(want, sentinel), "%v", sentinel)
			}
		})
	}
}

// crossed is an error after it went over a line.
func crossed(t *testing.T, err error) error {
	t.Helper()
	a, b := net.Pipe()
	here := helper.NewLine(a, nil, codecs()...)
	there := helper.NewLine(b, map[string]helper.Handler{"fail": func(context.Context, json.RawMessage) (any, error) { return nil, err }}, codecs()...)
	defer there.Close()
	defer here.Close()
	return here.Call(t.Context(), "fail", nil, nil)
}

// TestEveryErrorOfAnOperationThatTheVerdictKnowsCrosses: a new kind of error in errors.go must stand in the table above.
func TestEveryErrorOfAnOperationThatTheVerdictKnowsCrosses(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "errors.go", nil, 0)
	assert.NilError(t, err)
	operations := map[string]bool{"backup": true, "restore": true, "engine": true, "archive": true, "tree": true, "syscall": true}
	known, found := crossing(), 0
	ast.Inspect(file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := sel.X.(*ast.Ident)
		name := sel.Sel.Name
		isError := len(name) > 5 && name[len(name)-5:] == "Error" || len(name) > 3 && name[:3] == "Err" || ok && pkg.Name == "syscall"
		if ok && operations[pkg.Name] && isError {
			found++
			assert.Check(t, known[pkg.Name+"."+name] != nil, "%s.%s may be lost between a helper and its command", pkg.Name, name)
		}
		return true
	})
	assert.Assert(t, found > 8, "%d", found)
}
