// Command docsgen writes the command reference, docs/reference, from the commands themselves: "make docs" calls it.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	clidocstool "github.com/docker/cli-docs-tool"
	"github.com/spf13/cobra"

	"github.com/memsys/docker-memsys/plugin"
)

func main() {
	dir := filepath.Join("docs", "reference")
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := generate(dir); err != nil {
		fmt.Fprintln(os.Stderr, "docsgen:", err)
		os.Exit(1)
	}
}

// generate writes a page for each command into dir, and removes pages of commands that are no more.
func generate(dir string) error {
	log.SetOutput(io.Discard) // the tool talks of every page
	if err := clear(dir); err != nil {
		return err
	}
	docker := &cobra.Command{Use: "docker"}
	docker.AddCommand(plugin.Command())
	if err := skeletons(dir, docker); err != nil {
		return err
	}
	tool, err := clidocstool.New(clidocstool.Options{Root: docker, SourceDir: dir, Plugin: true})
	if err != nil {
		return fmt.Errorf("prepare reference: %w", err)
	}
	if err := tool.GenMarkdownTree(docker); err != nil {
		return fmt.Errorf("generate reference: %w", err)
	}
	return nil
}

// clear makes dir and empties it of pages.
func clear(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make reference folder: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return err
	}
	for _, page := range pages {
		if err := os.Remove(page); err != nil {
			return fmt.Errorf("remove old page: %w", err)
		}
	}
	return nil
}

// skeletons writes what stands around the generated part of each page: the usage above it, the examples below it.
func skeletons(dir string, parent *cobra.Command) error {
	for _, cmd := range parent.Commands() {
		if cmd.Hidden {
			continue
		}
		name := strings.ReplaceAll(strings.TrimPrefix(cmd.CommandPath(), "docker "), " ", "_") + ".md"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(skeleton(cmd)), 0o644); err != nil {
			return fmt.Errorf("write page: %w", err)
		}
		if err := skeletons(dir, cmd); err != nil {
			return err
		}
	}
	return nil
}

// skeleton is a page without its generated part.
func skeleton(cmd *cobra.Command) string {
	var b strings.Builder
	usage := cmd.UseLine()
	if cmd.HasSubCommands() {
		usage = cmd.CommandPath() + " [OPTIONS] COMMAND"
	}
	fmt.Fprintf(&b, "# %s\n\n```console\n%s\n```\n\n", cmd.CommandPath(), usage)
	b.WriteString("<!---MARKER_GEN_START-->\n<!---MARKER_GEN_END-->\n")
	if cmd.HasExample() {
		b.WriteString("\n## Examples\n\n```console\n")
		for line := range strings.Lines(cmd.Example) {
			b.WriteString("$ " + strings.TrimSpace(line) + "\n")
		}
		b.WriteString("```\n")
	}
	b.WriteString("\nExit codes: [exit-codes.md](../exit-codes.md). JSON: [json-output.md](../json-output.md).\n")
	return b.String()
}
