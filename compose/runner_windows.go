package compose

import "os"

// interrupt ends the child: Windows has no signal to ask it with.
func interrupt(p *os.Process) error { return p.Kill() }

func exitCode(s *os.ProcessState) int { return s.ExitCode() }

// endedByAsking: a child that was ended there has no code of its own.
func endedByAsking(s *os.ProcessState) bool { return true }
