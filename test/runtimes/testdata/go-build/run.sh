# This repository: a module with dependencies, built and tested.
set -e
export PATH=$GOROOT/bin:$PATH GOTOOLCHAIN=local GOCACHE=/gocache GOFLAGS=-trimpath GOPROXY=off GOMODCACHE=/gomod CGO_ENABLED=0
cd repo
go build -o /build/src/prog ./cmd/dettrace
sha256sum /build/src/prog
go test ./internal/fuse ./internal/sched
