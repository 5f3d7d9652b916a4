// Package cache gives the result of a run again when nothing it depends on has
// changed: outputs, exit status, standard output and error in their order,
// changes to the inputs, report.
//
// A run is a function of its settings and of what it asked image and inputs
// for (package image: Observation). So the key of an entry is a digest over the
// settings, and below a key there is one entry for each set of observations
// that a run with these settings had. An entry counts when every observation,
// made again now, is the same: that is the whole of what the run could have
// noticed. What it did not look at does not matter.
//
// Below the folder of the cache:
//
//	entries/KEY/ID  an entry: a line with the SHA-256 of the rest, then JSON
//	blobs/ab/...    streams, tars and sets of observations, by SHA-256
//	tmp/            what is being written
//	digests         content digests of host files (package digests)
//	lock            see below
//
// Files are made in tmp and renamed, so none is ever seen half written, and are
// never changed afterwards; the time of an entry's file is that of its last use.
// Whatever is read is checked against its digest first: damage of any kind, as
// a power cut may leave, makes a miss.
//
// Locks (flock(2), so a killed process holds none): who stores or reads blobs
// has lock shared, who removes some has it alone. Nobody holds it while a
// guest runs.
package cache
