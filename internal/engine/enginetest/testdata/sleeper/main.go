// Command sleeper is the one process of the containers that tests make: it ends at SIGTERM. As a command in them, "sleeper say TEXT CODE"
// prints TEXT and ends with CODE, and "sleeper hang" prints a word and ends at SIGTERM.
package main

import (
	"fmt"
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
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGTERM)
	if len(os.Args) == 2 && os.Args[1] == "hang" {
		fmt.Println("hanging")
	}
	<-c
}
