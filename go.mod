module github.com/memsys/docker-memsys

go 1.26
