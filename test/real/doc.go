// Package real builds real software twice, natively and in the container, on
// perturbed hosts. Natively many of the builds differ; in the container the
// saved changes, both output streams, the exit status and the event log must be
// the same to the byte, and what was built must work. So must those, but for the
// log, of a third run in which fast paths answer the calls that a log wants to see.
// Images of debootstrap and umoci go through the store, and a locked build begins
// with one.
//
// The sources and the image come from fetch.sh. Without them the tests are
// skipped, so that a plain `go test ./...` needs no network.
package real
