// Package docs runs the commands of README.md and of the how-tos exactly as they
// are written there, so that they stay true.
//
// Every block of code in these files is a script for sh -e, unless a comment in
// front of it says otherwise:
//
//	<!-- docs-test: DIRECTIVE; DIRECTIVE... -->
//
//	exits N         the script ends with this status
//	after COMMAND   run this first, for what the text takes for granted
//	image NAME      the store has an image of this name (busybox)
//	in repository   run in the root of this repository, not in the project
//	real            needs the image of test/real/fetch.sh: run by `make real`
//	output          no script, but what the block before it prints: ... stands for
//	                anything, and numbers do not count
//	file            no script, but the content of a file
//	not run: WHY    cannot be run by a test
//
// The blocks of a section (a heading of level two) run one after the other in
// one directory, a copy of testdata/project: a small C program with a Makefile,
// which is also a Debian package. TestBlocks keeps the list of those that are
// not run, so that a new one is seen in review.
package docs
