// Package plugin is the command line of docker memsys: its commands, their wiring, hints and exit codes.
package plugin

// Main runs the plugin and ends the process with the exit code of the command.
func Main() {}
