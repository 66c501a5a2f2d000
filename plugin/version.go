package plugin

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version and commit are stamped by the linker: -X github.com/memsys/docker-memsys/plugin.version=1.2.3.
var (
	version = ""
	commit  = ""
)

// build is what is known of this executable.
type build struct {
	Version   string
	Commit    string
	GoVersion string
	Platform  string
}

// buildVersion reads the linker's stamps, else what the Go tool recorded.
func buildVersion() build {
	b := build{Version: version, Commit: commit, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if b.Version != "" && b.Commit != "" {
		return b
	}
	info, ok := debug.ReadBuildInfo()
	if ok {
		b.fill(info)
	}
	if b.Version == "" {
		b.Version = "0.0.0-dev"
	}
	return b
}

// fill sets what the linker left out.
func (b *build) fill(info *debug.BuildInfo) {
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && b.Commit == "" {
			b.Commit = setting.Value
		}
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
}

// userAgent is how memsys presents itself to an engine.
func userAgent() string { return "memsys/" + buildVersion().Version }

// versionOptions are the flags of version.
type versionOptions struct {
	format string
	short  bool
}

func (a *app) versionCommand() *cobra.Command {
	var opts versionOptions
	cmd := &cobra.Command{
		Use:     "version [OPTIONS]",
		Short:   "Show the version of docker memsys",
		Example: examples("docker memsys version", "docker memsys version --short", "docker memsys version --format json"),
		Args:    noArgs,
		GroupID: groupOther,
		RunE:    func(*cobra.Command, []string) error { return a.version(opts) },
	}
	cmd.Flags().StringVar(&opts.format, "format", "", formatHelp)
	cmd.Flags().BoolVar(&opts.short, "short", false, "Print the version number alone")
	return cmd
}

// version prints the version; it asks no engine and reads no project.
func (a *app) version(opts versionOptions) error {
	b := buildVersion()
	switch {
	case opts.short:
		return a.printf("%s\n", b.Version)
	case opts.format != "":
		return a.printFormatted(opts.format, b)
	}
	text := fmt.Sprintf("docker memsys version %s\n commit:     %s\n go version: %s\n platform:   %s\n",
		b.Version, orUnknown(b.Commit), b.GoVersion, b.Platform)
	return a.printf("%s", text)
}

// orUnknown is s, or a word for its absence.
func orUnknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}
