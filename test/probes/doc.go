// Package probes proves the catalogue of nondeterminism line by line. A
// probe is a small program (package directory c, one executable with many
// named probes; goprobe; or a shell command) with a two-sided oracle:
//
//   - natively its output differs between runs, or between perturbed runs, or
//     is a property of the host that the container must not show;
//   - in the container stdout, stderr, exit status and the digest of all
//     changed files are the same in every run, on a perturbed host as well;
//   - where the source is seeded, another seed gives another output.
//
// Where there is a right answer the probe checks it and fails without it,
// natively and in the container, so that a constant does not pass.
//
// Many probes share one container: the driver (c/driver.c) runs them one
// after another and frames what each printed. A probe that ends or hangs its
// container is blamed, dropped from later runs, and the rest of its batch
// goes on in a container of its own.
//
// Invariants: a Table is a value without order dependence between probes of
// different batches; every later run uses exactly the batches that the first
// run ended with, because the outputs of a batch depend on its composition.
package probes
