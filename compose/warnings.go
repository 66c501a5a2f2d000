package compose

import (
	"io"
	"slices"

	"github.com/sirupsen/logrus"
)

// warningHook collects what compose-go would print: it logs to logrus's standard logger and knows no other way.
type warningHook struct {
	entries []string
	out     io.Writer
	hooks   logrus.LevelHooks
}

// captureWarnings silences the standard logger and keeps its warnings until restore.
func captureWarnings() *warningHook {
	log := logrus.StandardLogger()
	h := &warningHook{out: log.Out}
	h.hooks = log.ReplaceHooks(logrus.LevelHooks{logrus.WarnLevel: {h}})
	log.SetOutput(io.Discard)
	return h
}

// Levels implements logrus.Hook.
func (h *warningHook) Levels() []logrus.Level { return []logrus.Level{logrus.WarnLevel} }

// Fire implements logrus.Hook.
func (h *warningHook) Fire(e *logrus.Entry) error {
	if !slices.Contains(h.entries, e.Message) {
		h.entries = append(h.entries, e.Message)
	}
	return nil
}

func (h *warningHook) messages() []string { return slices.Clone(h.entries) }

func (h *warningHook) restore() {
	log := logrus.StandardLogger()
	log.SetOutput(h.out)
	log.ReplaceHooks(h.hooks)
}
