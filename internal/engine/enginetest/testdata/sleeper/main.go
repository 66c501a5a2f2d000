// Command sleeper is the one process of the containers that tests make: it ends at SIGTERM. As a command in them, "sleeper say TEXT CODE"
// prints TEXT and ends with CODE, "sleeper tell NAME" prints its user and group, its folder, and what is in the variable NAME, and "sleeper hang" prints a word and ends at SIGTERM. As a process of its own "sleeper echo" prints what it
// reads, says so on stderr at the end, and ends with 3.
package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == "say" {
		fmt.Println(os.Args[2])
		code, _ := strconv.Atoi(os.Args[3])
		os.Exit(code)
	}
	if len(os.Args) == 3 && os.Args[1] == "tell" {
		dir, _ := os.Getwd()
		fmt.Printf("%d:%d %s %s\n", os.Getuid(), os.Getgid(), dir, os.Getenv(os.Args[2]))
		os.Exit(0)
	}
	if len(os.Args) == 2 && os.Args[1] == "echo" {
		_, _ = io.Copy(os.Stdout, os.Stdin)
		fmt.Fprintln(os.Stderr, "ended")
		os.Exit(3)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	if len(os.Args) == 2 && os.Args[1] == "hang" {
		fmt.Println("hanging")
	}
	<-c
}
