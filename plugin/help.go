package plugin

import (
	"strings"

	"github.com/spf13/cobra"
)

// longHelp is the description of the whole.
const longHelp = `Back up, verify and restore the data of a Compose project.

memsys reads the Compose file, finds every folder and volume that holds data, and
stores them in one archive that plain tar can restore. A backup counts only after
it was read back and checked.

Every command ends with 0 when it did what it was asked, 1 when it failed and nothing
was changed or all was put back, 2 on wrong use, 3 incomplete, 4 damage found, 6 when a
person is needed, 7 locked by another run, 8 no such backup, 130 interrupted.`

// usageTemplate is docker's layout with groups of commands, and the project flags set apart.
const usageTemplate = `Usage:  {{if .HasAvailableSubCommands}}{{.CommandPath}} [OPTIONS] COMMAND{{else}}{{.UseLine}}{{end}}

{{with (or .Long .Short)}}{{. | trim}}{{end}}
{{- if .HasExample}}

Examples:
{{.Example}}
{{- end}}
{{- if gt (len .Aliases) 0}}

Aliases:
  {{commandAliases .}}
{{- end}}
{{- $root := .}}
{{- range .Groups}}{{$group := .}}

{{.Title}}
{{- range $root.Commands}}{{if and .IsAvailableCommand (eq .GroupID $group.ID)}}
  {{rpad .Name .NamePadding}} {{.Short}}
{{- end}}{{end}}
{{- end}}
{{- if .HasAvailableLocalFlags}}

Options:
{{.LocalFlags.FlagUsages | trimRightSpace}}
{{- end}}
{{- if .HasAvailableInheritedFlags}}

Project and progress options:
{{.InheritedFlags.FlagUsages | trimRightSpace}}
{{- end}}
{{- if .HasAvailableSubCommands}}

Run '{{.CommandPath}} COMMAND --help' for more information on a command.
{{- end}}
`

// useHelpTemplate gives cmd and its commands our help.
func useHelpTemplate(cmd *cobra.Command) {
	cobra.AddTemplateFunc("commandAliases", commandAliases)
	cmd.SetUsageTemplate(usageTemplate)
	cmd.SetHelpTemplate("{{.UsageString}}")
}

// commandAliases are all names of a command, each with its path.
func commandAliases(cmd *cobra.Command) string {
	parent := strings.TrimSuffix(cmd.CommandPath(), cmd.Name())
	names := []string{cmd.CommandPath()}
	for _, alias := range cmd.Aliases {
		names = append(names, parent+alias)
	}
	return strings.Join(names, ", ")
}

// examples lays command lines out for the help.
func examples(lines ...string) string { return "  " + strings.Join(lines, "\n  ") }

// helpCommand is "docker memsys help COMMAND".
func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{
		Use:               "help [COMMAND]",
		Short:             "Show the help of a command",
		Example:           examples("docker memsys help backup"),
		GroupID:           groupOther,
		PersistentPreRunE: func(*cobra.Command, []string) error { return nil },
		ValidArgsFunction: completeCommands,
		RunE:              a.help,
	}
}

// completeCommands completes the name of a command.
func completeCommands(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	var words []string
	for _, sub := range cmd.Parent().Commands() {
		if len(args) == 0 && sub.IsAvailableCommand() {
			words = append(words, cobra.CompletionWithDesc(sub.Name(), sub.Short))
		}
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// help prints the help of the command that args name.
func (a *app) help(cmd *cobra.Command, args []string) error {
	target := cmd.Parent()
	for _, word := range args {
		next, _, err := target.Find([]string{word})
		if err != nil || next == target {
			return a.unknownCommand(target, []string{word})
		}
		target = next
	}
	return target.Help()
}
