// Package stress runs programs that race, a hundred times each, on a host that
// has far more to do than it can: eight containers at once on all CPUs, and one
// container beside busy loops. Output, exit status, digest of the changed tree,
// logical time, number of events and the event log must have one hash.
package stress
