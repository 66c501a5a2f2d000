//go:build e2e && unix

package e2e

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// Busybox is an image with a static busybox: a shell, httpd, wget and the like.
const Busybox = "memsystest/busybox:latest"

// TestMain refuses to run outside of the test bed: everything below relies on what its scripts make.
func TestMain(m *testing.M) {
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONFIG", "MEMSYS_E2E_ENGINE"} {
		if os.Getenv(name) == "" {
			fmt.Fprintf(os.Stderr, "%s is not set: run the end-to-end tests with make e2e, or as e2e/README.md says\n", name)
			os.Exit(2)
		}
	}
	listenToInterrupts()
	os.Exit(m.Run())
}

// listenToInterrupts makes commands that the tests start hear Ctrl-C even if this process was started to ignore it, as a
// shell starts what runs in its background: a caught signal is not inherited, an ignored one is.
func listenToInterrupts() {
	if signal.Ignored(syscall.SIGINT) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGINT, syscall.SIGQUIT)
	}
}

// EngineVersion is the version of the engine under the tests: "20.10", "29", or what a user's own engine says.
func EngineVersion() string { return os.Getenv("MEMSYS_E2E_ENGINE") }

// PluginPath is the program docker-memsys, for standalone use.
func PluginPath() string {
	return filepath.Join(os.Getenv("DOCKER_CONFIG"), "cli-plugins", "docker-memsys")
}

// SkipOrFail ends a test that cannot run here: skipped on a person's machine, failed in CI.
func SkipOrFail(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MEMSYS_CI") == "1" {
		t.Fatalf("cannot run, which CI does not allow: "+format, args...)
	}
	t.Skipf(format, args...)
}

// NeedRoot ends a test that only root can run.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		SkipOrFail(t, "needs root")
	}
}

// NeedImage ends a test whose image the engine lacks.
func NeedImage(t testing.TB, image string) {
	t.Helper()
	if run(t, "", nil, "docker", "image", "inspect", image).ExitCode != 0 {
		SkipOrFail(t, "the engine has no image %s", image)
	}
}

// Campaign says how often a randomised test repeats itself, and hands it its randomness: in full with FULL=1, otherwise a
// sample. The same seed (SEED=n) draws the same sample for the same test again.
func Campaign(t testing.TB, full, sample int) (int, *rand.Rand) {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("MEMSYS_E2E_SEED"), 10, 64)
	if err != nil {
		seed = 1
	}
	name := fnv.New64a()
	name.Write([]byte(t.Name()))
	count := sample
	if os.Getenv("MEMSYS_E2E_FULL") == "1" {
		count = full
	}
	t.Logf("%d of %d rounds, seed %d (again with: make e2e SEED=%d RUN=%s)", count, full, seed, seed, t.Name())
	return count, rand.New(rand.NewPCG(seed, name.Sum64()))
}
