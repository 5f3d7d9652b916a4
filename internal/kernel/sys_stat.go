package kernel

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
	"dettrace/internal/procfs"
)

// ttyGroup owns the slaves of ptys: the sandbox mounts devpts with that group.
const ttyGroup = 5

// stat is the part of a stat result that is adjusted.
type stat struct {
	dev, ino, rdev uint64
	mode, nlink    uint32
	uid, gid       uint32
	size           int64
	blksize        int64
	blocks         uint64
	times          [4]int64 // atime, mtime, ctime, btime: ns; btime only in statx
	mask           uint32   // statx
	top            bool     // statx: the top of a mount
}

// procRootIno is the inode number of /proc itself (PROC_ROOT_INO).
const procRootIno = 1

// procRootLinks is the link count of /proc. The kernel's counts the processes
// of the whole host.
const procRootLinks = 100

// normalise makes a stat result that the kernel gave free of the host.
func (k *Kernel) normalise(s *stat) {
	if s.dev == k.cfg.FuseDev {
		k.normaliseTree(s)
		return
	}
	epoch := k.cfg.Epoch
	s.times = [4]int64{epoch, epoch, epoch, epoch}
	s.blksize, s.top = 4096, false
	maj := unix.Major(s.dev)
	switch typ := s.mode & unix.S_IFMT; {
	case s.dev == k.cfg.ProcDev:
		k.normaliseProc(s)
	case s.dev == k.cfg.DevptsDev:
		s.dev, s.top = procfs.PtsDev, typ == unix.S_IFDIR
		if s.top {
			s.uid, s.gid = 0, 0
		}
		if k.cfg.SingleID && typ == unix.S_IFCHR && unix.Major(s.rdev) == unix98Slave {
			s.gid = ttyGroup // which could not be given to the mount
		}
	case s.dev == k.cfg.MqueueDev:
		s.dev, s.top = procfs.MqueueDev, typ == unix.S_IFDIR
		s.ino = k.inodes.get("mqueue", s.ino)
		if s.top { // made by the caller, who is nobody inside
			s.ino, s.uid, s.gid = 1, 0, 0
		}
	case s.dev == k.devices.ns && k.devices.ns != 0:
		s.dev, s.ino, s.uid, s.gid = procfs.NsDev, k.devices.namespaces[s.ino], 0, 0
	case typ == unix.S_IFIFO:
		s.dev, s.ino = procfs.PipeDev, k.inodes.get("pipe", s.ino)
		s.uid, s.gid, s.blocks = 0, 0, 0
	case typ == unix.S_IFSOCK:
		s.dev, s.ino = procfs.SocketDev, k.inodes.get("socket", s.ino)
	case typ == unix.S_IFCHR || typ == unix.S_IFBLK:
		// A node of the host's /dev, bound into ours.
		s.dev, s.ino = procfs.DevDev, detfs.SerialIno(VolumeDev, DeviceSerial(unix.Major(s.rdev), unix.Minor(s.rdev)))
		s.uid, s.gid, s.nlink, s.blocks, s.size = 0, 0, 1, 0, 0
	case typ == 0:
		s.dev, s.ino = procfs.AnonDev, 1
	case maj == 0: // memfd, SysV shared memory
		s.dev, s.ino = procfs.MemDev, k.inodes.get("mem", s.ino)
		s.blocks = uint64(detfs.BlocksForSize(s.size))
	default:
		s.dev, s.ino = procfs.MemDev, k.inodes.get("other", s.ino)
	}
}

// normaliseTree is normalise for files of our own file system.
func (k *Kernel) normaliseTree(s *stat) {
	volume, top := detfs.Volume(s.ino)
	s.dev = volumeDevice(volume)
	s.uid, s.gid = detfs.UnpackBlocks(s.blocks)
	s.blocks = 0
	typ := s.mode & unix.S_IFMT
	switch {
	case volume == volumeProc || volume == volumeSys:
		// Such files have no blocks, and mostly no size (proc(5), sysfs(5)).
		if typ != unix.S_IFLNK {
			s.size = 0
			if volume == volumeSys && typ == unix.S_IFREG {
				s.size = 4096
			}
		}
	case typ == unix.S_IFREG || typ == unix.S_IFDIR:
		s.blocks = uint64(detfs.BlocksForSize(s.size))
	}
	// Where the table of mounts shows one: not where a file of /proc is bound.
	s.top = top && volume != volumeProc || volume == 0 && s.top && typ == unix.S_IFDIR
}

// procIno is the number that the guest sees of a file of procfs.
func (k *Kernel) procIno(ino uint64) uint64 {
	if ino == procRootIno {
		return ino
	}
	return k.inodes.get("proc", ino)
}

// normaliseProc is normalise for what the kernel itself has in procfs.
func (k *Kernel) normaliseProc(s *stat) {
	const entry = 0xf0000000 // PROC_DYNAMIC_FIRST: entries of no process
	root := s.ino == procRootIno
	// overflowID is the host's root, whom the guest's user namespace does not have.
	// What is of no process, and the files of one that must not be looked
	// into (PR_SET_DUMPABLE), belong to the host's root. Directories of a
	// process always have its owner (task_dump_owner() in fs/proc/base.c).
	ofProcess := s.mode == unix.S_IFDIR|0o555 && !root && s.ino < entry
	if s.uid == overflowID && !ofProcess {
		s.uid = 0
	}
	if s.gid == overflowID && !ofProcess {
		s.gid = 0
	}
	s.dev, s.top = procfs.ProcDev, root
	s.ino = k.procIno(s.ino)
	if root {
		s.nlink = procRootLinks
	}
	if s.mode&unix.S_IFMT == unix.S_IFDIR {
		s.size = 0 // fd: the number of open files since Linux 6.2
	}
}

// sysStat implements stat(2), lstat(2), fstat(2), newfstatat(2): the kernel
// answers, the device number, owner and blocks are put right after.
func sysStat(k *Kernel, t *Task) verdict {
	buf := t.arg(1)
	if t.callNr == unix.SYS_NEWFSTATAT {
		buf = t.arg(2)
	}
	if k.statPipe(t, buf) {
		return t.done(0)
	}
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.fixStat(t, buf)
		} else {
			t.scrub(buf, 144)
		}
	}
	return toExit
}

// statPipe answers a call about a pipe at once, without a second stop: shells and
// filters ask what each of their standard streams is.
func (k *Kernel) statPipe(t *Task, addr uint64) bool {
	switch t.callNr {
	case unix.SYS_FSTAT:
	case unix.SYS_NEWFSTATAT:
		var path [1]byte
		if t.arg(3)&unix.AT_EMPTY_PATH == 0 || !t.read(t.arg(1), path[:]) || path[0] != 0 {
			return false
		}
	default:
		return false
	}
	f := k.file(t, t.intArg(0))
	defer f.close()
	if f.fd < 0 || f.mode&unix.S_IFMT != unix.S_IFIFO || f.dev == k.cfg.FuseDev {
		return false
	}
	var b [144]byte
	le := binary.LittleEndian
	le.PutUint64(b[0:], f.dev)
	le.PutUint64(b[8:], f.ino)
	le.PutUint64(b[16:], 1)
	le.PutUint32(b[24:], f.mode)
	k.fixStatBytes(&b)
	return t.write(addr, b[:]) // else the kernel finds out what is wrong
}

// fixStat rewrites a struct stat (asm/stat.h, 144 bytes) in guest memory.
func (k *Kernel) fixStat(t *Task, addr uint64) {
	var b [144]byte
	if t.read(addr, b[:]) {
		k.fixStatBytes(&b)
		t.write(addr, b[:])
	}
}

func (k *Kernel) fixStatBytes(b *[144]byte) {
	le := binary.LittleEndian
	s := stat{
		dev: le.Uint64(b[0:]), ino: le.Uint64(b[8:]), nlink: uint32(le.Uint64(b[16:])),
		mode: le.Uint32(b[24:]), uid: le.Uint32(b[28:]), gid: le.Uint32(b[32:]),
		rdev: le.Uint64(b[40:]), size: int64(le.Uint64(b[48:])),
		blksize: int64(le.Uint64(b[56:])), blocks: le.Uint64(b[64:]),
	}
	for i := range 3 {
		s.times[i] = int64(le.Uint64(b[72+16*i:]))*1e9 + int64(le.Uint64(b[80+16*i:]))
	}
	k.normalise(&s)
	le.PutUint64(b[0:], s.dev)
	le.PutUint64(b[8:], s.ino)
	le.PutUint64(b[16:], uint64(s.nlink))
	le.PutUint32(b[28:], s.uid)
	le.PutUint32(b[32:], s.gid)
	le.PutUint64(b[48:], uint64(s.size))
	le.PutUint64(b[56:], uint64(s.blksize))
	le.PutUint64(b[64:], s.blocks)
	for i := range 3 {
		sec, ns := splitNS(s.times[i])
		le.PutUint64(b[72+16*i:], uint64(sec))
		le.PutUint64(b[80+16*i:], uint64(ns))
	}
}

func splitNS(ns int64) (sec, rest int64) {
	sec, rest = ns/1e9, ns%1e9
	if rest < 0 {
		sec, rest = sec-1, rest+1e9
	}
	return sec, rest
}

// sysStatx implements statx(2). The mask asks the kernel for the basic stats,
// whatever the guest asked, since the adjustment needs them.
func sysStatx(k *Kernel, t *Task) verdict {
	addr, asked := t.arg(4), uint32(t.arg(3))
	if t.arg(3)&unix.STATX__RESERVED == 0 {
		t.regs.R10 |= unix.STATX_BASIC_STATS
		// Mount ids, direct I/O alignment and what newer kernels add are the host's.
		t.regs.R10 &= unix.STATX_BASIC_STATS | unix.STATX_BTIME
		t.rewrite()
	}
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.fixStatx(t, addr, asked)
		} else {
			t.scrub(addr, 256)
		}
	}
	return toExit
}

// uniqueMount is what the mount ids of STATX_MNT_ID_UNIQUE count from
// (MNT_UNIQUE_ID_OFFSET in fs/namespace.c).
const uniqueMount = 1 << 31

// fixStatx rewrites a struct statx (256 bytes, linux/stat.h). asked is the
// guest's mask.
func (k *Kernel) fixStatx(t *Task, addr uint64, asked uint32) {
	var b [256]byte
	if !t.read(addr, b[:]) {
		return
	}
	le := binary.LittleEndian
	s := stat{
		mask: le.Uint32(b[0:]), blksize: int64(le.Uint32(b[4:])),
		nlink: le.Uint32(b[16:]), uid: le.Uint32(b[20:]), gid: le.Uint32(b[24:]),
		mode: uint32(le.Uint16(b[28:])), ino: le.Uint64(b[32:]), size: int64(le.Uint64(b[40:])),
		blocks: le.Uint64(b[48:]),
		rdev:   unix.Mkdev(le.Uint32(b[128:]), le.Uint32(b[132:])),
		dev:    unix.Mkdev(le.Uint32(b[136:]), le.Uint32(b[140:])),
		top:    le.Uint64(b[8:])&unix.STATX_ATTR_MOUNT_ROOT != 0,
	}
	// In the struct: atime, btime, ctime, mtime, 16 bytes each from 64.
	at := func(i int) int64 { return int64(le.Uint64(b[64+16*i:]))*1e9 + int64(le.Uint32(b[72+16*i:])) }
	s.times = [4]int64{at(0), at(3), at(2), at(1)}
	k.normalise(&s)
	clear(b[144:]) // mount id and all that came later
	s.mask &= unix.STATX_BASIC_STATS | unix.STATX_BTIME
	if s.dev != procfs.TreeDev {
		s.mask &^= unix.STATX_BTIME
	}
	if s.mask&unix.STATX_BTIME == 0 {
		s.times[3] = 0
	}
	attributes := uint64(0)
	if s.top {
		attributes = unix.STATX_ATTR_MOUNT_ROOT
	}
	le.PutUint64(b[8:], attributes)
	le.PutUint64(b[56:], unix.STATX_ATTR_MOUNT_ROOT) // the attributes that have a meaning
	// The kernel gives the mount id whether asked or not.
	mount := uint64(procfs.MountID(s.dev))
	if asked&unix.STATX_MNT_ID_UNIQUE != 0 {
		s.mask |= unix.STATX_MNT_ID_UNIQUE
		mount += uniqueMount
	} else {
		s.mask |= unix.STATX_MNT_ID
	}
	le.PutUint64(b[144:], mount)
	le.PutUint32(b[0:], s.mask)
	le.PutUint32(b[4:], uint32(s.blksize))
	le.PutUint32(b[16:], s.nlink)
	le.PutUint32(b[20:], s.uid)
	le.PutUint32(b[24:], s.gid)
	le.PutUint64(b[32:], s.ino)
	le.PutUint64(b[40:], uint64(s.size))
	le.PutUint64(b[48:], s.blocks)
	for i, v := range [4]int64{s.times[0], s.times[3], s.times[2], s.times[1]} {
		sec, ns := splitNS(v)
		le.PutUint64(b[64+16*i:], uint64(sec))
		le.PutUint32(b[72+16*i:], uint32(ns))
	}
	le.PutUint32(b[136:], unix.Major(s.dev))
	le.PutUint32(b[140:], unix.Minor(s.dev))
	t.write(addr, b[:])
}

// sysStatfs implements statfs(2) and fstatfs(2). Our file system gives
// constant figures; for the others they are the host's.
func sysStatfs(k *Kernel, t *Task) verdict {
	addr := t.arg(1)
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.fixStatfs(t, addr)
		} else {
			t.scrub(addr, 120)
		}
	}
	return toExit
}

// fixStatfs rewrites a struct statfs (120 bytes, asm-generic/statfs.h).
func (k *Kernel) fixStatfs(t *Task, addr uint64) {
	var b [120]byte
	if !t.read(addr, b[:]) {
		return
	}
	le := binary.LittleEndian
	const flagValid = 0x20 // ST_VALID
	flags := uint64(flagValid | unix.ST_RELATIME)
	if le.Uint64(b[0:]) == magicFuse {
		volume, namelen := detfs.UnpackNamelen(le.Uint64(b[64:]))
		le.PutUint64(b[0:], volumeMagic(volume))
		le.PutUint64(b[64:], namelen)
		switch volume {
		case VolumeDev, VolumeShm: // half of the memory, which nobody uses (tmpfs(5))
			pages := k.cfg.Machine.MemTotal / 2 / k.cfg.Machine.PageSize
			for _, at := range []int{16, 24, 32, 40, 48} { // f_blocks, f_bfree, f_bavail, f_files, f_ffree
				le.PutUint64(b[at:], pages)
			}
		case volumeSys:
			flags |= unix.ST_RDONLY
			clear(b[16:56])
		case volumeProc:
			clear(b[16:56])
		}
	} else {
		clear(b[16:56])
	}
	clear(b[56:64]) // f_fsid is the device number
	le.PutUint64(b[80:], flags)
	t.write(addr, b[:])
}

// sysReadlink implements readlink(2) and readlinkat(2). Only magic links of
// /proc name kernel objects ("pipe:[4711]"); the name of such a link is a
// number or the name of a namespace, and the last component of a path is
// never followed, so other names need no second stop.
func sysReadlink(k *Kernel, t *Task) verdict {
	p, buf, size := 0, t.arg(1), t.intArg(2)
	if t.callNr == unix.SYS_READLINKAT {
		p, buf, size = 1, t.arg(2), t.intArg(3)
	}
	path, e := t.str(t.arg(p))
	if e != 0 {
		return pass
	}
	k.logArg(t, quote(path))
	if path != "" && !magicName(path[strings.LastIndexByte(path, '/')+1:]) {
		return pass
	}
	t.onExit = func(t *Task) {
		n := t.result()
		if size <= 0 || n > 4096 {
			return
		}
		t.scrub(buf, min(size, objectName))
		if n <= 0 {
			return
		}
		b := make([]byte, n)
		if !t.read(buf, b) {
			return
		}
		name := string(b)
		out := k.readlink(name)
		if i := strings.Index(name, ":["); i > 0 && !strings.HasSuffix(name, "]") && int(n) == size {
			// Cut off inside a number that cannot be looked up.
			out = name[:i+2] + strings.Repeat("0", size-i-2)
		} else if i < 0 && out == name {
			return
		}
		if len(out) > size {
			out = out[:size]
		}
		// Behind it may be the end of the kernel's, which was longer.
		if t.write(buf, append([]byte(out), make([]byte, max(min(size, objectName)-len(out), 0))...)) {
			t.regs.Rax = uint64(len(out))
			t.rewrite()
		}
	}
	return toExit
}

// objectName is more bytes than the name of a kernel object has, such as
// "pid_for_children:[4026531836]".
const objectName = 48

// magicName reports whether a link in /proc that names a kernel object can
// have this name: /proc/N/fd/7, /proc/N/ns/pid, /proc/N/exe.
func magicName(s string) bool {
	switch s {
	case "exe", "cwd", "root", "cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts":
		return true
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
