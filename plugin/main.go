// Package plugin is the command line of docker memsys: its commands, their wiring, hints and exit codes.
package plugin

import (
	"os"

	"github.com/docker/cli/cli-plugins/metadata"
	cliplugin "github.com/docker/cli/cli-plugins/plugin"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/debug"
	"go.opentelemetry.io/otel"

	"github.com/memsys/docker-memsys/compose"
	"github.com/memsys/docker-memsys/internal/helper"
	"github.com/memsys/docker-memsys/internal/quiesce"
)

// name is the verb of the docker command that this plugin adds.
const name = "memsys"

// Main runs the plugin and ends the process with the exit code of the command. Started as a guardian, a gate or a helper it does that one job alone.
func Main() {
	if len(os.Args) == 2 && os.Args[1] == quiesce.GuardianArg {
		os.Exit(quiesce.GuardianMain(os.Stdin, os.Stdout))
	}
	if len(os.Args) > 2 && os.Args[1] == compose.GateArg {
		os.Exit(compose.GateMain(os.Args[2:]))
	}
	if len(os.Args) == 2 && os.Args[1] == helper.Arg {
		os.Exit(helperMain())
	}
	os.Exit(run())
}

// run builds the outside world of this process, runs the command line in it and returns the exit code.
func run() int {
	globals, args := splitGlobals(os.Args[1:])
	var call *composeCall
	if calledByCompose(args) {
		call = parseComposeCall(callerArgs())
		globals = append(globals, call.globals...)
	}
	os.Args = append([]string{os.Args[0]}, pluginArgs(globals, args)...)
	w := newWorld(globals)
	a := newApp(w)
	if call != nil {
		a.becomeProvider(call)
	}
	otel.SetErrorHandler(debug.OTELErrorHandler)
	dockerCLI, err := command.NewDockerCli(command.WithUserAgent(userAgent()))
	if err != nil {
		return a.finish(err)
	}
	a.initDocker = frameworkInit
	w.Engine = dockerEngine(dockerCLI, globals)
	w.PluginDirs = pluginDirs(dockerCLI)
	return a.finish(cliplugin.RunPlugin(dockerCLI, a.root(), pluginMetadata()))
}

// pluginMetadata is what the docker command asks every plugin for. Older CLIs accept no other schema version.
func pluginMetadata() metadata.Metadata {
	return metadata.Metadata{
		SchemaVersion:    "0.1.0",
		Vendor:           "memsys",
		Version:          buildVersion().Version,
		ShortDescription: short,
		URL:              "https://github.com/memsys/docker-memsys",
	}
}
