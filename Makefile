# One binary, no cgo. `make` builds, `make test` proves, `make lint` and
# `make generate` keep the tree as it should be.
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
export CGO_ENABLED = 0

.PHONY: all build test quick lint generate man bench clean

all: build

build:
	$(GO) build -trimpath -o dettrace ./cmd/dettrace

# Everything, on the machine as it is. Runs real containers: needs /dev/fuse
# and user namespaces.
test:
	$(GO) vet ./...
	$(GO) test ./...

# The tests that need no container.
quick:
	$(GO) test -short ./internal/...
	$(GO) test ./cmd/dettrace -run TestScript

# go vet, staticcheck, gofmt and the rule of forbidden calls (internal/lint).
lint:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	test -z "$$(gofmt -l cmd internal test | tee /dev/stderr)"
	$(GO) test ./internal/lint

# Files made from the source.
generate: build
	$(GO) generate ./...

man:
	$(GO) run ./internal/cli/gen build-docs

# A table of measurements, native and in dettrace.
bench: build
	$(GO) run ./test/bench

clean:
	rm -rf dettrace build-docs
