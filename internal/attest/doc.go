// Package attest says what a build was made from, in the formats that others
// check: an in-toto Statement v1 with a SLSA Provenance v1 predicate, in a DSSE
// envelope signed with ed25519.
//
// A statement is a function of report or lock, without times or names of the
// host, and so is an ed25519 signature: attesting twice gives the same bytes.
//
//   - DSSE: https://github.com/secure-systems-lab/dsse (protocol 1.0)
//   - Statement: https://in-toto.io/Statement/v1
//   - Provenance: https://slsa.dev/provenance/v1
package attest
