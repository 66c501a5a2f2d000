package compose

import "github.com/compose-spec/compose-go/v2/types"

// Command is a pre_stop or post_start command of a service. Empty fields are the container's own. Its environment may hold secrets.
type Command struct {
	Args       []string
	User       string
	Dir        string
	Env        []string // NAME=value
	Privileged bool
}

// commands translates the hooks of a service.
func commands(hooks []types.ServiceHook) []Command {
	var all []Command
	for _, h := range hooks {
		all = append(all, Command{
			Args: h.Command, User: h.User, Dir: h.WorkingDir, Env: h.Environment.ToMapping().Values(), Privileged: h.Privileged,
		})
	}
	return all
}
