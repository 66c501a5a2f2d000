// Command serving is a small helper for the tests of package helper.
package main

import (
	"context"
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"

	"github.com/memsys/docker-memsys/internal/helper"
)

var version = "1"

func main() {
	if len(os.Args) != 2 || os.Args[1] != helper.Arg {
		os.Exit(2)
	}
	debug.SetTraceback("single")
	os.Exit(helper.Serve(os.Stdin, os.Stdout, version, handlers))
}

func handlers(l *helper.Line) map[string]helper.Handler {
	return map[string]helper.Handler{
		"read":  on(func(p []string) (any, error) { return os.ReadFile(p[0]) }),
		"write": on(func(p []string) (any, error) { return nil, os.WriteFile(p[0], []byte(p[1]), 0o600) }),
		"chown": on(func(p []string) (any, error) { return nil, os.Chown(p[0], 1234, 1234) }),
		"env":   on(func([]string) (any, error) { return os.Environ(), nil }),
		"status": on(func([]string) (any, error) {
			text, err := os.ReadFile("/proc/self/status")
			return string(text), err
		}),
		"root": on(func([]string) (any, error) {
			entries, err := os.ReadDir("/")
			var names []string
			for _, e := range entries {
				names = append(names, e.Name())
			}
			return strings.Join(names, " "), err
		}),
		"panic": on(func([]string) (any, error) { panic("planted") }),
		"exit":  on(func([]string) (any, error) { os.Exit(7); return nil, nil }),
		"ask": func(ctx context.Context, _ json.RawMessage) (any, error) {
			var answer string
			err := l.Call(ctx, "answer", nil, &answer)
			return answer, err
		},
		"wait": func(ctx context.Context, _ json.RawMessage) (any, error) {
			_ = l.Notify("waiting", nil)
			<-ctx.Done()
			return nil, ctx.Err()
		},
	}
}

func on(f func([]string) (any, error)) helper.Handler {
	return func(_ context.Context, raw json.RawMessage) (any, error) {
		var p []string
		if raw != nil {
			if err := json.Unmarshal(raw, &p); err != nil {
				return nil, err
			}
		}
		return f(p)
	}
}
