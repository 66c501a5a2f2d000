// Package measure runs programs and tells what they cost.
package measure

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Step is programs of which each reads what the one before it writes, as in a shell's pipeline.
type Step struct {
	Pipeline [][]string
	Dir      string
	// Env is added to the environment.
	Env []string
	// Out is the file for the output of the last program; without one, Cost.Output keeps it.
	Out string
}

// Cost is what a run took.
type Cost struct {
	// Seconds of time passed, and of processor time of all programs.
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"`
	// Peak is the most memory that one process held, in bytes. A program counts at least as much as the one that started it.
	Peak int64 `json:"peak"`
	// Other is the share of the machine's processor time that went to other processes; below 0 when it is not known.
	Other  float64 `json:"other"`
	Output []byte  `json:"-"`
}

// Run runs steps one after the other; a program that fails is an error with what it said.
func Run(ctx context.Context, steps ...Step) (Cost, error) {
	var c Cost
	load := readLoad()
	start := time.Now()
	for _, s := range steps {
		if err := s.run(ctx, &c); err != nil {
			return c, err
		}
	}
	c.Seconds = time.Since(start).Seconds()
	c.Other = load.other(c.CPU)
	return c, nil
}

func (s Step) run(ctx context.Context, c *Cost) (err error) {
	var complaints bytes.Buffer
	var output bytes.Buffer
	out, closeOut, err := s.output(&output)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeOut()) }()
	cmds, err := s.commands(ctx, out, &complaints)
	if err != nil {
		return err
	}
	err = runAll(cmds)
	c.Output = append(c.Output, output.Bytes()...)
	for _, cmd := range cmds {
		c.add(cmd.ProcessState)
	}
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", s, err, strings.TrimSpace(complaints.String()))
	}
	return nil
}

// String is the step as a shell would have it.
func (s Step) String() string {
	var parts []string
	for _, args := range s.Pipeline {
		parts = append(parts, strings.Join(args, " "))
	}
	return strings.Join(parts, " | ")
}

func (s Step) output(buffer *bytes.Buffer) (io.Writer, func() error, error) {
	if s.Out == "" {
		return buffer, func() error { return nil }, nil
	}
	f, err := os.Create(s.Out)
	if err != nil {
		return nil, nil, fmt.Errorf("create output: %w", err)
	}
	return f, f.Close, nil
}

func (s Step) commands(ctx context.Context, out io.Writer, complaints io.Writer) ([]*exec.Cmd, error) {
	var cmds []*exec.Cmd
	for i, args := range s.Pipeline {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.Dir, cmd.Env, cmd.Stderr = s.Dir, append(os.Environ(), s.Env...), complaints
		if i > 0 {
			r, w, err := os.Pipe()
			if err != nil {
				return nil, fmt.Errorf("make pipe: %w", err)
			}
			cmds[i-1].Stdout, cmd.Stdin = w, r
		}
		cmds = append(cmds, cmd)
	}
	cmds[len(cmds)-1].Stdout = out
	if len(cmds) > 1 {
		// Several programs must not share a buffer.
		for _, cmd := range cmds {
			cmd.Stderr = os.Stderr
		}
	}
	return cmds, nil
}

func runAll(cmds []*exec.Cmd) error {
	var errs []error
	var started []*exec.Cmd
	for _, cmd := range cmds {
		err := cmd.Start()
		errs = append(errs, err, closePipe(cmd.Stdin), closePipe(cmd.Stdout))
		if err == nil {
			started = append(started, cmd)
		}
	}
	for _, cmd := range started {
		errs = append(errs, cmd.Wait())
	}
	return errors.Join(errs...)
}

// closePipe closes our side of a pipe: a reader sees the end only when nobody else could write.
func closePipe(end any) error {
	f, ok := end.(*os.File)
	if !ok || f == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return err
	}
	return f.Close()
}

func (c *Cost) add(p *os.ProcessState) {
	if p == nil {
		return
	}
	c.CPU += (p.UserTime() + p.SystemTime()).Seconds()
	c.Peak = max(c.Peak, peak(p))
}
