package plugin

import (
	"errors"
	"fmt"
	"os"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli-plugins/metadata"
	"github.com/docker/cli/cli/command"
	"github.com/docker/cli/cli/connhelper"
	"github.com/docker/cli/cli/context/docker"
	"github.com/moby/moby/client"

	"github.com/memsys/docker-memsys/internal/engine"
)

// connection is a client for an engine, and the endpoint for processes that cannot read Docker's configuration again.
type connection struct {
	*engine.Client
	Endpoint engine.Endpoint
	// Context is the name of Docker's context.
	Context string
}

// engine is the engine that Docker's flags, environment and contexts name. It dials nothing: the client connects with
// its first request. Commands that need no engine never call it. Callers share it; it lives as long as the process.
func (a *app) engine() (connection, error) {
	if a.connected != nil {
		return *a.connected, nil
	}
	if a.world.Engine == nil {
		return connection{}, errors.New("no engine is configured")
	}
	c, err := a.world.Engine()
	if err != nil {
		return connection{}, err
	}
	a.connected = &c
	return c, nil
}

// dockerEngine connects with Docker's own configuration. It does not use dockerCLI.Client, which ends the process where
// a context is missing.
func dockerEngine(dockerCLI *command.DockerCli, globals []string) func() (connection, error) {
	return func() (connection, error) {
		endpoint, err := dockerEndpoint(dockerCLI)
		if errdefs.IsNotFound(err) {
			return connection{}, &outcome{code: exitFailed, message: fmt.Sprintf("there is no docker context %s", dockerCLI.CurrentContext()), hint: "docker context ls", err: err}
		}
		if err != nil {
			return connection{}, fmt.Errorf("resolve docker context %s: %w", dockerCLI.CurrentContext(), err)
		}
		api, err := dockerClient(dockerCLI, globals)
		if err != nil {
			return connection{}, fmt.Errorf("connect to engine: %w", err)
		}
		return connection{Client: engine.New(api, endpoint.Host), Endpoint: endpoint, Context: dockerCLI.CurrentContext()}, nil
	}
}

// dockerClient is a client for the engine. DOCKER_CLI_PLUGIN_USE_DIAL_STDIO asks to reach it through the docker command.
func dockerClient(dockerCLI *command.DockerCli, globals []string) (client.APIClient, error) {
	if os.Getenv("DOCKER_CLI_PLUGIN_USE_DIAL_STDIO") != "" {
		return dialStdio(globals)
	}
	flags, opts := globalFlags()
	if err := flags.Parse(globals); err != nil {
		return nil, err
	}
	opts.SetDefaultOptions(flags)
	return command.NewAPIClientFromFlags(opts, dockerCLI.ConfigFile())
}

// dialStdio reaches the engine by "docker system dial-stdio".
func dialStdio(globals []string) (client.APIClient, error) {
	helper, err := connhelper.GetCommandConnectionHelper(dockerProgram(), append(globals, "system", "dial-stdio")...)
	if err != nil {
		return nil, err
	}
	return client.New(client.WithDialContext(helper.Dialer), client.WithUserAgent(userAgent()))
}

// dockerProgram is the docker command that started us, else the one on the PATH.
func dockerProgram() string {
	if program := os.Getenv(metadata.ReexecEnvvar); program != "" {
		return program
	}
	return "docker"
}

// dockerEndpoint is where the engine of the current context is.
func dockerEndpoint(dockerCLI *command.DockerCli) (engine.Endpoint, error) {
	contexts, current := dockerCLI.ContextStore(), dockerCLI.CurrentContext()
	meta, err := contexts.GetMetadata(current)
	if err != nil {
		return engine.Endpoint{}, err
	}
	found, err := docker.EndpointFromContext(meta)
	if err != nil {
		return engine.Endpoint{}, err
	}
	full, err := docker.WithTLSData(contexts, current, found)
	if err != nil {
		return engine.Endpoint{}, err
	}
	endpoint := engine.Endpoint{Host: full.Host, SkipTLSVerify: full.SkipTLSVerify}
	if full.TLSData != nil {
		endpoint.CA, endpoint.Cert, endpoint.Key = full.TLSData.CA, full.TLSData.Cert, full.TLSData.Key
	}
	if endpoint.Host == "" {
		endpoint.Host = client.DefaultDockerHost
	}
	return endpoint, nil
}
