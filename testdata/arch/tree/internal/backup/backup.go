// Package backup imports what it must not.
package backup

import (
	"fmt"
	"os"
	"time"

	_ "github.com/compose-spec/compose-go/v2/types"
	_ "github.com/memsys/docker-memsys/internal/display"
	_ "github.com/memsys/docker-memsys/internal/restore"
	_ "github.com/memsys/docker-memsys/plugin"
	_ "github.com/moby/moby/client"
	_ "github.com/spf13/cobra"
)

func Run() {
	fmt.Println(time.Now())
	os.Exit(1)
}

type Options struct{}
