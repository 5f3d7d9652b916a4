// Package runtimes runs every language runtime, build tool and server that
// docs/runtimes.md lists, each several times on an idle and on a loaded host.
// Output, exit status, the digest of the changed tree, logical time and the
// number of events must be the same every time.
//
// A workload is a directory below testdata with a run.sh, which is the input
// of the container. Tools come from the host image; without them a test is
// skipped and says which is missing.
package runtimes
