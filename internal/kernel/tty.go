package kernel

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// What is written to one side of a pseudo terminal reaches the other through a
// work queue of the kernel (flush_to_ldisc, drivers/tty/tty_buffer.c): at a
// moment of its own the reader becomes ready, and ^C typed at the master sends
// its signal. Two facts make it happen at ours: poll(2) of a side waits for
// its pending input to be processed before it says "nothing there" (n_tty_poll
// calls tty_buffer_flush_work), and the supervisor can open the slave of a
// master that the guest holds (TIOCGPTPEER).

// wakeTTY asks the terminals of parked tasks directly: the readiness list of
// an epoll set is filled by the work queue and may lag behind.
func (k *Kernel) wakeTTY() {
	for _, t := range k.order {
		if !t.wait.tty {
			continue
		}
		for i := range t.wait.fds {
			w := &t.wait.fds[i]
			f := file{fd: w.fd}
			if w.fd >= 0 && f.ready(int16(uint16(w.events))) {
				k.sched.Wake(t.th)
				break
			}
		}
	}
}

// ttyWritten lets the line discipline finish with what was just written to
// the terminal fd, and follows up the signals that came of it.
func (k *Kernel) ttyWritten(fd int) error {
	if f := (file{fd: fd}); !f.isMaster() {
		if k.term != nil {
			k.drainTerminal()
		}
		return nil // a slave: its master's side sends no signals
	}
	if hungUp(fd) {
		return nil
	}
	if s := k.slave(fd); s >= 0 {
		inputSettled(s)
		unix.Close(s)
	} else if s := k.holdSlave(fd); s >= 0 {
		inputSettled(s)
	}
	return k.recheckAll()
}

// isMaster reports that f is the master of a pseudo terminal (ptmx(4)).
func (f *file) isMaster() bool {
	_, err := unix.IoctlGetInt(f.fd, unix.TIOCGPTN)
	return err == nil
}

// hasTerminal reports whether some process has slave n as its controlling
// terminal (proc_pid_stat(5), tty_nr).
func (k *Kernel) hasTerminal(n int) bool {
	for _, p := range k.order {
		if p.tid == p.proc.pid && ttyNumber(p.tid) == n {
			return true
		}
	}
	return false
}

// heldOpen reports whether some process has a descriptor of slave n.
func (k *Kernel) heldOpen(n int) bool {
	for _, p := range k.order {
		if p.tid != p.proc.pid {
			continue
		}
		for _, fd := range openFDs(p.tid) {
			f := k.file(p, fd)
			held := f.class == fdTTY && unix.Major(f.rdev) == unix98Slave && int(unix.Minor(f.rdev)) == n
			f.close()
			if held {
				return true
			}
		}
	}
	return false
}

// ttyNumber is the number of the pty slave that controls a process, or -1.
func ttyNumber(pid int) int {
	b, err := readStat(pid)
	if err != nil {
		return -1
	}
	f := statFields(b)
	if len(f) < 5 {
		return -1
	}
	dev, err := strconv.Atoi(string(f[4])) // tty_nr, field 7
	if err != nil {
		return -1
	}
	// new_encode_dev: minor bits 31-20 and 7-0, major bits 15-8.
	major, minor := dev>>8&0xfff, dev&0xff|dev>>12&0xfff00
	if major != unix98Slave {
		return -1
	}
	return minor
}

const unix98Slave = 136 // Documentation/admin-guide/devices.txt

// inBackground reports that t reads from its controlling terminal while
// another process group is in the foreground: the kernel then answers at
// once, with SIGTTIN to the group or EIO (tty_check_change).
func (t *Task) inBackground(f *file) bool {
	if f.class != fdTTY {
		return false
	}
	b, err := readStat(t.proc.pid)
	if err != nil {
		return false
	}
	s := statFields(b) // state ppid pgrp session tty_nr tpgid
	if len(s) < 6 || string(s[2]) == string(s[5]) || string(s[4]) == "0" {
		return false
	}
	if unix.Major(f.rdev) == 5 { // /dev/tty
		return unix.Minor(f.rdev) == 0
	}
	return unix.Major(f.rdev) == unix98Slave && int(unix.Minor(f.rdev)) == ttyNumber(t.proc.pid)
}

// ttyCall lets the kernel do a call that may send signals to process groups
// of a terminal, and follows them up.
func (k *Kernel) ttyCall(t *Task) verdict {
	t.onExit = func(*Task) {
		if err := k.recheckAll(); err != nil {
			k.Stop(err)
		}
	}
	return toExit
}
