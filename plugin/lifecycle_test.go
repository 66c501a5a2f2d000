package plugin

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/engine"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// spoken is a lifecycle whose commands are only noted; say is what each of them comes to.
func spoken(say func(ctx context.Context, args string, out *bytes.Buffer) (int, error)) (lifecycle, *[]string) {
	var ran []string
	return lifecycle{
		project: "p",
		services: []compose.Service{
			{Name: "web", PreStop: []compose.Command{{Args: []string{"flush", "all"}, User: "1000", Dir: "/srv", Env: []string{"A=b"}}, {Args: []string{"bye"}}}, PostStart: []compose.Command{{Args: []string{"hello"}}}},
			{Name: "db", PreStop: []compose.Command{{Args: []string{"checkpoint"}}}},
			{Name: "nightly", Job: true, PreStop: []compose.Command{{Args: []string{"never"}}}},
		},
		exec: func(ctx context.Context, id string, c engine.Command, out *bytes.Buffer) (int, error) {
			ran = append(ran, strings.Join(slices.Concat([]string{id}, c.Args, []string{c.User, c.Dir}, c.Env), " "))
			return say(ctx, strings.Join(c.Args, " "), out)
		},
	}, &ran
}

func TestAServicesOwnCommandsRunInItsContainer(t *testing.T) {
	l, ran := spoken(func(context.Context, string, *bytes.Buffer) (int, error) { return 0, nil })
	for _, it := range []quiesce.Item{
		{ID: "1", Project: "p", Service: "web"},
		{ID: "2", Project: "p", Service: "db"},
		{ID: "3", Project: "other", Service: "web"},
		{ID: "4", Project: "p", Service: "nightly"},
		{ID: "5", Project: "p", Service: "gone"},
		{ID: "6"},
	} {
		assert.NilError(t, l.PreStop(t.Context(), it))
		assert.NilError(t, l.PostStart(t.Context(), it))
	}
	assert.DeepEqual(t, *ran, []string{"1 flush all 1000 /srv A=b", "1 bye  ", "1 hello  ", "2 checkpoint  "})
}

func TestTheFirstCommandThatFailsIsTheLast(t *testing.T) {
	lost := errors.New("connection lost")
	web := quiesce.Item{ID: "1", Project: "p", Service: "web"}
	for _, c := range []struct {
		code int
		out  string
		err  error
		want string
	}{
		{3, "", nil, "flush ended with 3"},
		{3, "one\n\x1b[31mstill busy\n\n", nil, "flush ended with 3: "},
		{0, "", lost, "flush: connection lost"},
	} {
		l, ran := spoken(func(_ context.Context, _ string, out *bytes.Buffer) (int, error) {
			out.WriteString(c.out)
			return c.code, c.err
		})
		err := l.PreStop(t.Context(), web)
		assert.ErrorContains(t, err, c.want)
		assert.Assert(t, !strings.Contains(err.Error(), "\x1b"), "%q", err)
		assert.Equal(t, strings.Contains(err.Error(), "still busy"), c.out != "", "%q", err)
		assert.Assert(t, c.err == nil || errors.Is(err, lost))
		assert.Equal(t, len(*ran), 1)
	}
}

func TestACommandThatDoesNotEndIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := spoken(func(ctx context.Context, _ string, _ *bytes.Buffer) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		assert.ErrorContains(t, l.PreStop(t.Context(), quiesce.Item{Project: "p", Service: "db"}), "checkpoint: it did not end within 5m0s")
	})
}
