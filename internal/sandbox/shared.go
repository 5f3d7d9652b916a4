package sandbox

import "golang.org/x/sys/unix"

// makeShared makes the file of Config.Shared on a tmpfs of its own, mounted for
// that moment where /sys will be. The tmpfs lives as long as the file's mount.
func (s *stage) makeShared() {
	if s.cfg.Shared == "" {
		return
	}
	const name = "make the shared file"
	place := s.root + "/sys"
	file := place + "/shared"
	s.mount(name, "dettrace", place, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755")
	s.hint(mountHint)
	rights, fd := s.rights(-1)
	s.do(name, unix.SYS_OPENAT, cwd, file, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600).Save = uint64(fd)
	s.do(name, unix.SYS_FCHMOD, fd, 0o666)
	s.do(name, unix.SYS_FTRUNCATE, fd, uint64(s.cfg.SharedSize))
	s.shared, s.sharedRights = s.slot(), rights
	s.do(name, unix.SYS_OPEN_TREE, cwd, file, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC).Save = uint64(s.shared)
	s.do(name, unix.SYS_UMOUNT2, place, unix.MNT_DETACH)
}

// bindShared puts the file to its place.
func (s *stage) bindShared() {
	if s.cfg.Shared != "" {
		s.attach("bind "+s.cfg.Shared, s.shared, s.root+s.cfg.Shared)
	}
}
