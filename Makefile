.PHONY: build install test e2e bench lint docs demo release help

build: ## build the plugin: bin/docker-memsys
	@scripts/build.sh bin/docker-memsys
install: ## build and install the plugin for this user
	@./install.sh
test: ## all tests: unit tests, then end-to-end tests on an engine
	@scripts/test.sh
e2e: ## end-to-end tests on the oldest and the newest engine (ENGINES=29, RUN=TestName, FULL=1, SEED=n)
	@ENGINES="$(ENGINES)" RUN="$(RUN)" FULL="$(FULL)" SEED="$(SEED)" scripts/e2e.sh
bench: ## measure against tar and other backup tools
	@scripts/bench.sh
lint: ## format, vet, staticcheck, shellcheck, known vulnerabilities, tidy modules
	@scripts/lint.sh
docs: ## generate the command reference
	@go run ./internal/docsgen
demo: ## a first backup and restore of the sample memory system
	@scripts/demo.sh
release: ## archives of all platforms and their checksums: dist/
	@scripts/release.sh
help: ## this list
	@sed -n 's/^\([a-z0-9]*\): ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10
