// Package e2e drives the real plugin through the real docker and Compose on a real engine; the tests stand behind the
// build tag e2e. README.md says how to run them and how to write one.
package e2e
