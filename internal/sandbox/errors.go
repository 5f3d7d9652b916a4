package sandbox

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Error is a failed step of making a container.
type Error struct {
	Step   string        // what was tried: "mount proc"
	Errno  syscall.Errno // 0 where no system call failed
	Detail string        // more where the errno does not say it
	Advice string        // what the user can do, or ""
}

// Error implements error; the hint is not part of it.
func (e *Error) Error() string {
	s := "sandbox: " + e.Step
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Errno != 0 {
		s += ": " + e.Errno.Error()
	}
	return s
}

// Unwrap gives the errno, so that errors.Is(err, unix.EPERM) works.
func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

// Hint is what the user can do about the error, or "".
func (e *Error) Hint() string { return e.Advice }

// stepError makes an Error of what a step returned; nil stays nil.
func stepError(step string, err error, hint string) error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	e := &Error{Step: step, Advice: hint}
	if !errors.As(err, &e.Errno) {
		e.Detail = err.Error()
	}
	return e
}

// cloneError explains a refused clone(2) with CLONE_NEWUSER.
func cloneError(err error) error {
	return stepError("make namespaces", err, cloneHint(err))
}

func cloneHint(err error) string {
	switch {
	case errors.Is(err, unix.EINVAL):
		return "the kernel lacks user namespaces (CONFIG_USER_NS)"
	case sysctl("kernel/unprivileged_userns_clone") == "0":
		return "user namespaces are off: sysctl -w kernel.unprivileged_userns_clone=1"
	case sysctl("user/max_user_namespaces") == "0" || errors.Is(err, unix.ENOSPC):
		return "the limit of namespaces is reached: raise the sysctls user.max_user_namespaces and user.max_*_namespaces"
	case appArmorRestricts():
		return "AppArmor forbids user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	case errors.Is(err, unix.EPERM):
		// A chroot cannot be told for sure from inside.
		return "user namespaces are forbidden here: the kernel refuses them inside a plain chroot " +
			"(use pivot_root), and some containers' seccomp profiles do (docker: --security-opt seccomp=unconfined)"
	}
	return ""
}

// mountHint explains a refused mount in the new user namespace.
func mountHint(err error) string {
	if (errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM)) && appArmorRestricts() {
		return "AppArmor takes the capabilities of user namespaces away: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
	}
	return ""
}

func appArmorRestricts() bool { return sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1" }

// sysctl reads a file below /proc/sys; "" if there is none.
func sysctl(name string) string {
	b, err := os.ReadFile("/proc/sys/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// minMajor.minMinor is the oldest kernel that has all we use: close_range(2) and
// CAP_CHECKPOINT_RESTORE (5.9), FUSE_HANDLE_KILLPRIV_V2 (5.12).
const minMajor, minMinor = 5, 12

// checkKernel refuses a kernel older than that.
func checkKernel(release string) error {
	var major, minor int
	if _, err := fmt.Sscanf(release, "%d.%d", &major, &minor); err != nil {
		return nil // a release that does not look like Linux's: let the steps tell
	}
	if major > minMajor || major == minMajor && minor >= minMinor {
		return nil
	}
	return &Error{Step: "check kernel", Detail: fmt.Sprintf("kernel %s is too old", release),
		Advice: fmt.Sprintf("needs Linux >= %d.%d", minMajor, minMinor)}
}
