package fuse

// Opcodes of include/uapi/linux/fuse.h.
const (
	opLookup        = 1
	opForget        = 2
	opGetattr       = 3
	opSetattr       = 4
	opReadlink      = 5
	opSymlink       = 6
	opMknod         = 8
	opMkdir         = 9
	opUnlink        = 10
	opRmdir         = 11
	opRename        = 12
	opLink          = 13
	opOpen          = 14
	opRead          = 15
	opWrite         = 16
	opStatfs        = 17
	opRelease       = 18
	opFsync         = 20
	opSetxattr      = 21
	opGetxattr      = 22
	opListxattr     = 23
	opRemovexattr   = 24
	opFlush         = 25
	opInit          = 26
	opOpendir       = 27
	opReaddir       = 28
	opReleasedir    = 29
	opFsyncdir      = 30
	opGetlk         = 31
	opSetlk         = 32
	opSetlkw        = 33
	opAccess        = 34
	opCreate        = 35
	opInterrupt     = 36
	opBmap          = 37
	opDestroy       = 38
	opIoctl         = 39
	opPoll          = 40
	opNotifyReply   = 41
	opBatchForget   = 42
	opFallocate     = 43
	opReaddirplus   = 44
	opRename2       = 45
	opLseek         = 46
	opCopyFileRange = 47
	opSetupmapping  = 48
	opRemovemapping = 49
	opSyncfs        = 50
	opTmpfile       = 51
	opStatx         = 52
	opMax           = 53
)

// opName returns the opcode's name as in the kernel header, lower case.
func opName(op uint32) string {
	names := [opMax]string{
		1: "lookup", 2: "forget", 3: "getattr", 4: "setattr", 5: "readlink",
		6: "symlink", 8: "mknod", 9: "mkdir", 10: "unlink", 11: "rmdir",
		12: "rename", 13: "link", 14: "open", 15: "read", 16: "write",
		17: "statfs", 18: "release", 20: "fsync", 21: "setxattr",
		22: "getxattr", 23: "listxattr", 24: "removexattr", 25: "flush",
		26: "init", 27: "opendir", 28: "readdir", 29: "releasedir",
		30: "fsyncdir", 31: "getlk", 32: "setlk", 33: "setlkw", 34: "access",
		35: "create", 36: "interrupt", 37: "bmap", 38: "destroy", 39: "ioctl",
		40: "poll", 41: "notify_reply", 42: "batch_forget", 43: "fallocate",
		44: "readdirplus", 45: "rename2", 46: "lseek", 47: "copy_file_range",
		48: "setupmapping", 49: "removemapping", 50: "syncfs", 51: "tmpfile",
		52: "statx",
	}
	if op < opMax && names[op] != "" {
		return names[op]
	}
	return "unknown"
}

// INIT flags (fuse_init_in.flags and flags2<<32).
const (
	initAsyncRead        = 1 << 0
	initBigWrites        = 1 << 5
	initReaddirplus      = 1 << 13
	initReaddirplusAuto  = 1 << 14
	initParallelDirops   = 1 << 18
	initMaxPages         = 1 << 22
	initCacheSymlinks    = 1 << 23
	initNoOpenSupport    = 1 << 17
	initExplicitInval    = 1 << 25
	initHandleKillprivV2 = 1 << 28
)

// Bits of SetAttrIn.Valid.
const (
	SetMode        = 1 << 0
	SetUID         = 1 << 1
	SetGID         = 1 << 2
	SetSize        = 1 << 3
	SetAtime       = 1 << 4
	SetMtime       = 1 << 5
	SetFH          = 1 << 6 // through a descriptor: ftruncate, open(O_TRUNC)
	SetAtimeNow    = 1 << 7
	SetMtimeNow    = 1 << 8
	SetKillSuidgid = 1 << 11
)

// Bits of the flags of FS.Write.
const (
	WriteCache       = 1 << 0 // late write-back of a page of a shared mapping
	WriteKillSuidgid = 1 << 2
)

const (
	// MaxWrite is the most data in one READ or WRITE: 256 pages, the
	// kernel's default limit (fs.fuse.max_pages_limit).
	MaxWrite = 1 << 20

	inHeaderSize  = 40
	outHeaderSize = 16
	attrSize      = 88
	entrySize     = 40 + attrSize
	direntSize    = 24

	protoMajor    = 7
	protoMinMinor = 31
	protoMinor    = 40

	// forever is a timeout in seconds; the kernel clamps it
	// (timespec64_to_jiffies).
	forever = 1 << 32

	openKeepCache = 1 << 1
	openNoFlush   = 1 << 5

	notifyInvalInode = 2
)
