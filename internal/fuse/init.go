package fuse

import (
	"encoding/binary"
	"syscall"
)

// wantFlags is what is switched on when the kernel offers it. On purpose not
// in it: ATOMIC_O_TRUNC (truncation stays a SETATTR), AUTO_INVAL_DATA and
// WRITEBACK_CACHE (times would be the kernel's real ones), POSIX_LOCKS and
// FLOCK_LOCKS (the kernel keeps locks itself), EXPORT_SUPPORT, POSIX_ACL,
// SECURITY_CTX, DONT_MASK.
const wantFlags = initAsyncRead | initBigWrites | initReaddirplus |
	initReaddirplusAuto | initParallelDirops | initMaxPages |
	initCacheSymlinks | initNoOpenSupport | initExplicitInval |
	initHandleKillprivV2

// init answers FUSE_INIT.
func (c *Conn) init(r *Request, out []byte) (int, syscall.Errno) {
	if !r.need(16) {
		return 0, syscall.EINVAL
	}
	major, minor := r.u32(0), r.u32(4)
	if major != protoMajor || minor < protoMinMinor {
		return 0, syscall.EPROTO
	}
	c.minor = min(minor, protoMinor)
	le := binary.LittleEndian
	clear(out[:64])
	le.PutUint32(out[0:], protoMajor)
	le.PutUint32(out[4:], c.minor)
	le.PutUint32(out[8:], MaxWrite) // max_readahead; the kernel takes the smaller
	le.PutUint32(out[12:], r.u32(12)&wantFlags)
	le.PutUint16(out[16:], 64)       // max_background
	le.PutUint16(out[18:], 48)       // congestion_threshold
	le.PutUint32(out[20:], MaxWrite) // max_write
	le.PutUint32(out[24:], 1)        // time_gran: ns
	le.PutUint16(out[28:], MaxWrite/4096)
	return 64, 0
}
