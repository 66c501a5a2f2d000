//go:build e2e

package engine_test

import (
	"os"
	"strings"
	"testing"

	"gotest.tools/v3/assert"

	"github.com/memsys/docker-memsys/internal/engine/enginetest"
)

func TestTheRealEngineConforms(t *testing.T) {
	enginetest.Conformance(t, enginetest.Real(t))
}

func TestAnEngineBehindASocketOfThisMachineIsLocal(t *testing.T) {
	info, err := enginetest.Real(t).Info(t.Context())
	assert.NilError(t, err)
	assert.Equal(t, info.Local, strings.HasPrefix(os.Getenv("DOCKER_HOST"), "unix://"))
}
