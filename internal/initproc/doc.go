// Package initproc builds the program that runs as the guest's pid 1.
//
// A Go program cannot be pid 1: its runtime starts threads when it likes, and
// each takes a number out of the guest's pid namespace. And its start costs more
// than all that has to be done. So the first process of the container is this
// program, a static ELF file of one page of text with no runtime, which
//
//   - makes the system calls of a Script, with which package sandbox sets the
//     container up,
//   - forks pid 2, which drops its privileges, announces itself on the control
//     socket and waits for the supervisor to take it over by ptrace,
//   - then blocks in read(2) on the control socket: a decimal number is
//     written to ns_last_pid, end of file ends the program and with it the
//     whole pid namespace.
//
// Invariants: the text is movable and holds no address but that of the
// parameter block; pid 1 makes no thread and no second child; it ignores
// SIGCHLD, so orphans are reaped by the kernel; after pid 2's announcement
// pid 2 executes nothing but pause(2).
package initproc
