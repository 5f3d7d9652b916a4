# One binary, no cgo. `make` builds, `make test` proves, `make lint` and
# `make generate` keep the tree as it should be.
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
export CGO_ENABLED = 0

# Suites that take long have targets of their own.
LONG = test/probes test/real test/runtimes test/stress test/vary test/zoo

.PHONY: all build test probes zoo score runtimes stress real real-sources quick lint generate man bench clean

all: build

build:
	$(GO) build -trimpath -o dettrace ./cmd/dettrace

# Everything, on the machine as it is. Runs real containers: needs /dev/fuse
# and user namespaces. -count=1: the cache of go test does not see the binary under
# test, nor what compilers read.
test:
	$(GO) vet ./...
	$(GO) test -count=1 -p 1 -timeout 30m $$($(GO) list ./... | grep -v $(LONG:%=-e %))

# The catalogue of what must not differ, a probe for each line; prints the table.
probes:
	$(GO) test -count=1 -timeout 60m ./test/probes -v

# Language runtimes, build tools and servers of the host image, each a few times
# on an idle and a loaded host; DETTRACE_RUNTIMES_RUNS=20 for more.
runtimes:
	$(GO) test -count=1 -timeout 120m ./test/runtimes -v

# Each source of difference by itself, and a small unreproducible program for each
# class, whose cause dettrace explain must name.
zoo:
	$(GO) test -count=1 -timeout 60m ./test/vary ./test/zoo -v

# What explain finds in real source packages, against causes that were written down
# before; takes an hour, as root, with apt sources for bookworm and faketime.
score: build
	$(GO) run ./test/score

# Programs that race, eight containers at once and on an overloaded host.
stress:
	$(GO) test -count=1 -timeout 30m ./test/stress -v

# Sources and an image from Debian's registry, into a cache folder (about 5
# minutes the first time; the image needs root).
real-sources:
	sh test/real/fetch.sh

# Real software, built natively and in the container, one build on each CPU: more
# tests than CPUs, as a test waits for the CPU that it needs next.
real:
	$(GO) test -count=1 -timeout 60m -parallel 4 ./test/real -v

# The tests that need no container.
quick:
	$(GO) test -short ./internal/...
	$(GO) test ./cmd/dettrace -run TestScript

# go vet, staticcheck, gofmt and the rule of forbidden calls (internal/lint).
lint:
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...
	test -z "$$(gofmt -l cmd internal test | tee -a /dev/stderr)"
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
