package plugin

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/compose"
)

// configValue is a setting in JSON output.
type configValue struct {
	Value  string `json:"value"`
	Origin string `json:"origin"`
}

func (a *app) configCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "config [OPTIONS]",
		Short: "Show the settings in force and where each came from",
		Long: `Show the effective settings: flags go over environment (MEMSYS_*), that over
x-memsys in the Compose file, that over the defaults. Asks no engine.`,
		Example:           examples("docker memsys config", "docker memsys config --format json"),
		Args:              noArgs,
		GroupID:           groupProject,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.config(cmd.Context(), format) },
	}
	cmd.Flags().StringVar(&format, "format", "", formatHelp)
	return cmd
}

// config prints the effective settings in the order of the documentation.
func (a *app) config(ctx context.Context, format string) error {
	p, err := a.loadProject(ctx, compose.Overrides{})
	if err != nil {
		return err
	}
	a.noticeInterrupted(p)
	values := p.Config.Values()
	if format != "" {
		object := map[string]configValue{}
		for name, value := range values {
			object[name] = configValue{value, p.Config.Origins[name]}
		}
		return a.printFormatted(format, object)
	}
	rows := [][]string{}
	for _, s := range compose.Settings() {
		rows = append(rows, []string{s.Name, values[s.Name], p.Config.Origins[s.Name]})
	}
	return a.printTable([]string{"SETTING", "VALUE", "FROM"}, rows)
}
