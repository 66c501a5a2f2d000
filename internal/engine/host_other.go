//go:build !linux

package engine

// kernel is empty where engines run in a virtual machine: none of them is local.
func (thisHost) kernel() string { return "" }

func (thisHost) memory() int64 { return -1 }
