package display

import (
	"encoding/json"

	"github.com/memsys/docker-memsys/internal/progress"
)

// Messages is the mode of a provider of docker compose: each event is a message of its protocol. No flag chooses it.
const Messages Mode = "messages"

// ComposeMessage is one message to docker compose, without the end of its line: info is shown, debug with --verbose alone, and error ends
// the command.
func ComposeMessage(kind, text string) []byte {
	line, _ := json.Marshal(struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	}{kind, text})
	return line
}

// messageLine is an event as a message: what only counts is for those who look closely.
func messageLine(e progress.Event) string {
	kind := "info"
	if e.Status == progress.Working {
		kind = "debug"
	}
	return string(ComposeMessage(kind, plainLine(e)))
}
