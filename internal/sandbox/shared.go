package sandbox

import "golang.org/x/sys/unix"

// sharedFile is the file of Config.Shared: its mount, attached nowhere, and a
// descriptor for the supervisor.
type sharedFile struct{ mount, fd int }

// noShared is a container without one.
var noShared = sharedFile{-1, -1}

// files is what goes to the supervisor.
func (f sharedFile) files() []int {
	if f.fd < 0 {
		return nil
	}
	return []int{f.fd}
}

// makeShared makes the file on a tmpfs of its own, mounted for that moment
// where /sys will be. The tmpfs lives as long as the file's mount.
func (b *builder) makeShared() error {
	if b.cfg.Shared == "" {
		return nil
	}
	const step = "make the shared file"
	place := b.root + "/sys"
	if err := unix.Mount("dettrace", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return stepError(step, err, mountHint(err))
	}
	defer unix.Unmount(place, unix.MNT_DETACH)
	var err error
	if b.shared.fd, err = unix.Open(place+"/shared", unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600); err != nil {
		return stepError(step, err, "")
	}
	if err := unix.Fchmod(b.shared.fd, 0o666); err != nil {
		return stepError(step, err, "")
	}
	if err := unix.Ftruncate(b.shared.fd, b.cfg.SharedSize); err != nil {
		return stepError(step, err, "")
	}
	b.shared.mount, err = unix.OpenTree(unix.AT_FDCWD, place+"/shared", unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	return stepError(step, err, "")
}

// bindShared puts the file to its place.
func (b *builder) bindShared() error {
	if b.shared.mount < 0 {
		return nil
	}
	err := unix.MoveMount(b.shared.mount, "", unix.AT_FDCWD, b.root+b.cfg.Shared, unix.MOVE_MOUNT_F_EMPTY_PATH)
	unix.Close(b.shared.mount)
	return stepError("bind "+b.cfg.Shared, err, "")
}
