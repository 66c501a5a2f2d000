package compose

import "os"

// interrupt ends the child: Windows has no signal to ask it with.
func interrupt(p *os.Process) error { return p.Kill() }

func exitCode(s *os.ProcessState) int { return s.ExitCode() }
