package hooks

import (
	"encoding/json"
	"strconv"
)

// MessageVersion is the version of Message: it grows when a field changes its meaning or goes, not when one is added.
const MessageVersion = 1

// Message is what a hook of the project is told: in its environment, and as JSON on its standard input. docs/hooks.md describes it.
type Message struct {
	Version   int    `json:"version"`
	Event     string `json:"event"`     // before-up, after-backup, on-failure, …
	Operation string `json:"operation"` // up, down, pull, backup, …
	Project   string `json:"project"`
	Directory string `json:"directory"` // the project's folder
	Backups   string `json:"backups"`   // the backups directory
	// Arguments are those of docker compose behind its verb.
	Arguments []string `json:"arguments,omitempty"`
	// Result is what the operation came to, nil before it.
	Result *Result `json:"result,omitempty"`
	// Backup is the backup that it made; nil where it has made none.
	Backup *Backed `json:"backup,omitempty"`
}

// Result is what an operation came to.
type Result struct {
	Status   string `json:"status"` // done, incomplete, failed, interrupted
	ExitCode int    `json:"exitCode"`
	Error    string `json:"error,omitempty"`
}

// Backed is a backup in a Message.
type Backed struct {
	Name     string `json:"name"`
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Complete bool   `json:"complete"`
	Damaged  bool   `json:"damaged"`
}

// Variables are the names that a Message has in the environment of a hook.
func Variables() []string {
	return []string{"MEMSYS_EVENT", "MEMSYS_OPERATION", "MEMSYS_PROJECT", "MEMSYS_PROJECT_DIR", "MEMSYS_BACKUP", "MEMSYS_RESULT", "MEMSYS_EXIT_CODE"}
}

// environ is the message as variables. What is not known is empty: a variable of the caller's must not be taken for ours.
func (m Message) environ() []string {
	values := map[string]string{
		"MEMSYS_EVENT": m.Event, "MEMSYS_OPERATION": m.Operation, "MEMSYS_PROJECT": m.Project, "MEMSYS_PROJECT_DIR": m.Directory,
	}
	if m.Backup != nil {
		values["MEMSYS_BACKUP"] = m.Backup.Path
	}
	if m.Result != nil {
		values["MEMSYS_RESULT"], values["MEMSYS_EXIT_CODE"] = m.Result.Status, strconv.Itoa(m.Result.ExitCode)
	}
	var out []string
	for _, name := range Variables() {
		out = append(out, name+"="+values[name])
	}
	return out
}

// json is the message as one line.
func (m Message) json() []byte {
	text, _ := json.Marshal(m) // it holds nothing that cannot be written
	return append(text, '\n')
}
