package display

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/progress"
)

// clock is a time that only the test moves.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

// feed gives the events to a renderer, a second apart, and returns all it writes.
func feed(r renderer, events ...progress.Event) string {
	now := time.Unix(1700000000, 0)
	var b strings.Builder
	for _, e := range events {
		r.report(e, now)
		b.WriteString(r.frame(now))
		now = now.Add(time.Second)
	}
	b.WriteString(r.last(now))
	return b.String()
}

func counting(done int64) progress.Event {
	return progress.Event{Step: "write", Object: "data", Status: progress.Working, Done: done, Total: 400_000_000, Unit: progress.Bytes}
}

func TestPlainThinsOutCountingButKeepsEverythingElse(t *testing.T) {
	got := feed(newRenderer(Options{Mode: Plain}), counting(100_000_000), counting(200_000_000), counting(300_000_000),
		progress.Event{Step: "read", Object: "a.json", Status: progress.Warning, Text: "changed while it was read"},
		progress.Event{Step: "write", Object: "data", Status: progress.Done, Done: 400_000_000, Unit: progress.Bytes},
		progress.Event{Step: "pause", Object: "app", Status: progress.Done})
	assert.Equal(t, got, `warning: read a.json: changed while it was read
write data: 400MB
pause app: done
`)
}

func TestPlainCountsAStepThatLasts(t *testing.T) {
	events := make([]progress.Event, 12)
	for i := range events {
		events[i] = counting(int64(i+1) * 10_000_000)
	}
	got := feed(newRenderer(Options{Mode: Plain}), events...)
	assert.Assert(t, strings.HasPrefix(got, "write data: "), got)
	assert.Assert(t, strings.Count(got, "\n") < len(events), got)
}

func TestJSONIsOneObjectALine(t *testing.T) {
	got := feed(newRenderer(Options{Mode: JSON}), counting(1), progress.Event{Step: "verify", Object: "x", Status: progress.Failed, Text: "bad"})
	assert.Equal(t, got, `{"step":"write","object":"data","status":"working","done":1,"total":400000000,"unit":"bytes"}
{"step":"verify","object":"x","status":"failed","text":"bad"}
`)
}

func TestMessagesAreThoseOfComposesProviders(t *testing.T) {
	got := feed(newRenderer(Options{Mode: Messages}),
		counting(50), progress.Event{Step: "backup", Status: progress.Working, Text: "begins"},
		progress.Event{Step: "backup", Status: progress.Done, Text: "as \"asked\"\n"}, progress.Event{Step: "load", Status: progress.Warning, Text: "look"})
	want := `{"type":"debug","message":"backup: begins"}
{"type":"info","message":"backup: as \"asked\"\\n"}
{"type":"info","message":"warning: look"}
`
	assert.Equal(t, got, want)
}

func TestQuietShowsOnlyWhatFailed(t *testing.T) {
	got := feed(newRenderer(Options{Mode: Quiet}), counting(1), progress.Event{Step: "verify", Object: "x", Status: progress.Failed, Text: "bad"})
	assert.Equal(t, got, "failed: verify x: bad\n")
}

func TestLiveUpdatesOneLineWithRateAndTimeLeft(t *testing.T) {
	r := newRenderer(Options{Mode: TTY, NoColor: true})
	got := feed(r, counting(100_000_000), counting(200_000_000),
		progress.Event{Step: "write", Object: "data", Status: progress.Done, Done: 400_000_000, Unit: progress.Bytes})
	assert.Equal(t, got, "\x1b[J· write data: 100MB of 400MB (25%)\n"+
		"\r\x1b[1A\x1b[J· write data: 200MB of 400MB (50%)  100MB/s  ETA 2s\n"+
		"\r\x1b[1A\x1b[J✔ write data: 400MB\n")
}

func TestResultsAreNotDrawnOver(t *testing.T) {
	var out bytes.Buffer
	c := &clock{t: time.Unix(1700000000, 0)}
	d := New(Options{Mode: TTY, NoColor: true, Out: &out, Now: c.now})
	d.Report(progress.Event{Step: "verify", Object: "a", Status: progress.Done})
	d.Report(progress.Event{Step: "verify", Object: "b", Status: progress.Working})
	d.Print(func() { out.WriteString("a: sound\n") })
	d.Report(progress.Event{Step: "verify", Object: "b", Status: progress.Done})
	d.Close()
	assert.Equal(t, screen(out.String()), "✔ verify a: done\na: sound\n✔ verify b: done\n")
}

// screen is what a terminal shows in the end: it knows the sequences that the display uses.
func screen(written string) string {
	shown := []string{""}
	for len(written) > 0 {
		var up int
		if n, _ := fmt.Sscanf(written, "\r\x1b[%dA", &up); n == 1 {
			shown = append(shown[:len(shown)-1-up], "")
			written = written[strings.Index(written, "A")+1:]
			continue
		}
		if rest, ok := strings.CutPrefix(written, "\x1b[J"); ok {
			written = rest
			continue
		}
		char := written[:1]
		written = written[1:]
		if char == "\n" {
			shown = append(shown, "")
			continue
		}
		shown[len(shown)-1] += char
	}
	return strings.Join(shown, "\n")
}

func TestLiveNeverWritesALineThatWraps(t *testing.T) {
	r := newRenderer(Options{Mode: TTY, NoColor: true, Width: func() int { return 20 }})
	e := counting(1)
	e.Object = strings.Repeat("世界", 40)
	got := feed(r, e, e)
	frame := strings.TrimPrefix(strings.Split(got, "\n")[0], "\x1b[J")
	assert.Assert(t, len([]rune(frame)) < 20, frame)
	assert.Assert(t, strings.HasSuffix(frame, "…"), frame)
}

func TestLiveKeepsABoundedNumberOfLines(t *testing.T) {
	r := newLive(Options{})
	for i := range 100 {
		r.report(progress.Event{Step: "s", Object: strings.Repeat("x", i), Status: progress.Working}, time.Unix(0, 0))
	}
	assert.Equal(t, len(r.steps), maxLive)
}

func TestSamplesOfALongStepStayBounded(t *testing.T) {
	s := &step{}
	for i := range 10_000 {
		s.update(counting(int64(i)), time.Unix(0, int64(i)))
	}
	assert.Assert(t, len(s.samples) <= 64)
}

func TestNamesCannotMoveTheCursor(t *testing.T) {
	assert.Equal(t, Clean("a\x1b[2Jb\nc\xffd\u202e.json"), `a\x1b[2Jb\nc\xffd\u202e.json`)
	assert.Equal(t, Clean("größe 世界.json"), "größe 世界.json")
}

func TestCloseWritesWhatWasReported(t *testing.T) {
	var out bytes.Buffer
	c := &clock{t: time.Unix(1700000000, 0)}
	d := New(Options{Mode: Plain, Out: &out, Now: c.now})
	var reporters sync.WaitGroup
	for range 8 {
		reporters.Go(func() { d.Report(progress.Event{Step: "pause", Status: progress.Done}) })
	}
	reporters.Wait()
	d.Close()
	d.Close()
	d.Report(progress.Event{Step: "late", Status: progress.Done})
	assert.Equal(t, out.String(), strings.Repeat("pause: done\n", 8))
}

// stuck is a terminal that takes nothing until it is released.
type stuck struct{ released chan struct{} }

func (s stuck) Write(p []byte) (int, error) {
	<-s.released
	return len(p), nil
}

func TestReportDoesNotWaitForAStuckTerminal(t *testing.T) {
	s := stuck{make(chan struct{})}
	c := &clock{t: time.Unix(1700000000, 0)}
	d := New(Options{Mode: Plain, Out: s, Now: c.now})
	for range 1000 {
		d.Report(progress.Event{Step: "pause", Status: progress.Done})
	}
	close(s.released)
	d.Close()
}

func TestAutoIsLiveOnATerminalOnly(t *testing.T) {
	_, onTerminal := newRenderer(Options{Mode: Auto, Terminal: true, Out: io.Discard}).(*live)
	_, elsewhere := newRenderer(Options{Mode: Auto, Out: io.Discard}).(*live)
	assert.Assert(t, onTerminal && !elsewhere)
}

func TestUnknownModeIsRefused(t *testing.T) {
	_, err := ParseMode("loud")
	assert.ErrorContains(t, err, `invalid progress mode "loud"`)
}
