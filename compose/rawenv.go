package compose

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
)

// registerRawEnv makes `env_file: {format: raw}` known to compose-go, whose list of formats is one for the whole process.
var registerRawEnv = sync.OnceFunc(func() { dotenv.RegisterFormat("raw", rawEnv) })

// rawEnv reads KEY=VALUE lines as they stand: no quotes, no interpolation. A key alone takes its value from outside.
func rawEnv(r io.Reader, file string, vars map[string]string, outside func(string) (string, bool)) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimLeft(lines.Text(), " \t")
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff")
		}
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, assigned := strings.Cut(line, "=")
		if key == "" || strings.ContainsAny(key, " \t") {
			return fmt.Errorf("%s:%d: bad variable name", file, n)
		}
		if assigned {
			vars[key] = value
		} else if v, ok := outside(key); ok {
			vars[key] = v
		}
	}
	return lines.Err()
}
