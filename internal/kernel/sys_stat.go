package kernel

import (
	"encoding/binary"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/detfs"
)

// Device numbers that the guest sees. The kernel numbers anonymous mounts in
// the order in which the host made them.
var (
	treeDev = unix.Mkdev(8, 1)
	procDev = unix.Mkdev(0, 20)
	ptsDev  = unix.Mkdev(0, 22)
	mqDev   = unix.Mkdev(0, 23)
	devDev  = unix.Mkdev(0, 6)
	pipeDev = unix.Mkdev(0, 13)
	sockDev = unix.Mkdev(0, 8)
	anonDev = unix.Mkdev(0, 14)
	memDev  = unix.Mkdev(0, 1)
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
}

// normalise makes a stat result that the kernel gave free of the host.
func (k *Kernel) normalise(s *stat) {
	if s.dev == k.cfg.FuseDev {
		s.dev = treeDev
		s.uid, s.gid = detfs.UnpackBlocks(s.blocks)
		s.blocks = 0
		if f := s.mode & unix.S_IFMT; f == unix.S_IFREG || f == unix.S_IFDIR {
			s.blocks = uint64(detfs.BlocksForSize(s.size))
		}
		return
	}
	epoch := k.cfg.Epoch
	s.times = [4]int64{epoch, epoch, epoch, epoch}
	maj := unix.Major(s.dev)
	switch typ := s.mode & unix.S_IFMT; {
	case s.dev == k.cfg.ProcDev:
		s.dev = procDev
		s.ino = k.inodes.get("proc", s.ino)
	case s.dev == k.cfg.DevptsDev:
		s.dev = ptsDev
		if k.cfg.SingleID && typ == unix.S_IFCHR && unix.Major(s.rdev) == unix98Slave {
			s.gid = ttyGroup // which could not be given to the mount
		}
	case s.dev == k.cfg.MqueueDev:
		s.dev = mqDev
		s.ino = k.inodes.get("mqueue", s.ino)
	case typ == unix.S_IFIFO:
		s.dev, s.ino = pipeDev, k.inodes.get("pipe", s.ino)
		s.uid, s.gid, s.blocks = 0, 0, 0
	case typ == unix.S_IFSOCK:
		s.dev, s.ino = sockDev, k.inodes.get("socket", s.ino)
	case typ == unix.S_IFCHR || typ == unix.S_IFBLK:
		// A node of the host's /dev, bound into ours.
		s.dev, s.ino = devDev, 1000+uint64(unix.Major(s.rdev))*256+uint64(unix.Minor(s.rdev))
		s.uid, s.gid, s.nlink, s.blocks, s.size = 0, 0, 1, 0, 0
	case typ == 0:
		s.dev, s.ino = anonDev, 1
	case maj == 0: // memfd, SysV shared memory
		s.dev, s.ino = memDev, k.inodes.get("mem", s.ino)
		s.blocks = uint64(detfs.BlocksForSize(s.size))
	default:
		s.dev, s.ino = memDev, k.inodes.get("other", s.ino)
	}
	s.blksize = 4096
}

// sysStat implements stat(2), lstat(2), fstat(2), newfstatat(2): the kernel
// answers, the device number, owner and blocks are put right after.
func sysStat(k *Kernel, t *Task) verdict {
	buf := t.arg(1)
	if t.callNr == unix.SYS_NEWFSTATAT {
		buf = t.arg(2)
	}
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.fixStat(t, buf)
		}
	}
	return toExit
}

// fixStat rewrites a struct stat (asm/stat.h, 144 bytes) in guest memory.
func (k *Kernel) fixStat(t *Task, addr uint64) {
	var b [144]byte
	if !t.read(addr, b[:]) {
		return
	}
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
	t.write(addr, b[:])
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
	addr := t.arg(4)
	if t.arg(3)&unix.STATX__RESERVED == 0 {
		t.regs.R10 |= unix.STATX_BASIC_STATS
		// Mount ids, direct I/O alignment and what newer kernels add are the host's.
		t.regs.R10 &= unix.STATX_BASIC_STATS | unix.STATX_BTIME
		t.rewrite()
	}
	t.onExit = func(t *Task) {
		if t.result() == 0 {
			k.fixStatx(t, addr)
		}
	}
	return toExit
}

// fixStatx rewrites a struct statx (256 bytes, linux/stat.h).
func (k *Kernel) fixStatx(t *Task, addr uint64) {
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
	}
	// In the struct: atime, btime, ctime, mtime, 16 bytes each from 64.
	at := func(i int) int64 { return int64(le.Uint64(b[64+16*i:]))*1e9 + int64(le.Uint32(b[72+16*i:])) }
	s.times = [4]int64{at(0), at(3), at(2), at(1)}
	k.normalise(&s)
	clear(b[144:]) // mnt_id and all that came later
	clear(b[56:64])
	clear(b[8:16]) // attributes
	s.mask &= unix.STATX_BASIC_STATS | unix.STATX_BTIME
	if s.dev != treeDev {
		s.mask &^= unix.STATX_BTIME
		s.times[3] = 0
	} else if s.mask&unix.STATX_BTIME == 0 {
		s.times[3] = 0
	}
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
		if t.result() != 0 {
			return
		}
		var b [120]byte
		if !t.read(addr, b[:]) {
			return
		}
		le := binary.LittleEndian
		const fuseMagic, ext4Magic = 0x65735546, 0xef53
		switch le.Uint64(b[0:]) {
		case fuseMagic:
			le.PutUint64(b[0:], ext4Magic)
		default:
			clear(b[16:56]) // blocks, bfree, bavail, files, ffree
		}
		clear(b[56:64]) // f_fsid is the device number
		le.PutUint64(b[80:], 0x20|unix.ST_RELATIME)
		t.write(addr, b[:])
	}
	return toExit
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
		if n <= 0 || n > 4096 || size <= 0 {
			return
		}
		b := make([]byte, n)
		if !t.read(buf, b) {
			return
		}
		out := k.readlink(string(b))
		if out == string(b) {
			return
		}
		if len(out) > size {
			out = out[:size]
		}
		if t.write(buf, []byte(out)) {
			t.regs.Rax = uint64(len(out))
			t.rewrite()
		}
	}
	return toExit
}

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
