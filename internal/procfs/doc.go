// Package procfs says what the guest reads below /proc and /sys.
//
// There are two kinds of file. Those about the machine are constant during a
// run; Proc, Sys and Etc render them from a machine.Machine, and they are
// served as plain files that cover the kernel's. Those about a process stay
// the kernel's, but their text passes a Normaliser, which replaces every
// figure that the host has a say in.
//
// Invariants: nothing here reads the host, and a file that no rule knows is
// not shown (File reports false). The kernel's text is parsed as hostile:
// names of commands and files may hold any byte that the guest likes. Lines
// and columns that a newer kernel adds are dropped.
package procfs
