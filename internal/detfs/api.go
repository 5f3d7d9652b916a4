// Package detfs is the deterministic file system: a FUSE server with all
// metadata in memory, read-only layers below and the run's changes above.
//
// The server is a process of its own (the hidden subcommand ServerCommand of
// the same binary), so that a supervisor which faults on a guest page backed by
// our mount never waits for itself. Client is the supervisor's end.
//
// The FUSE root has the children "root" (the guest's /) and one per
// Config.Static tree ("proc", "sys"), which the sandbox bind-mounts to their
// places; the guest never sees the FUSE root itself.
package detfs

import (
	"dettrace/internal/image"
	"dettrace/internal/stopwatch"
	"dettrace/internal/vary"
)

// ServerCommand is the hidden subcommand that runs the server.
const ServerCommand = "__detfs"

// Config is everything the server needs; it crosses the process border (wire.go).
type Config struct {
	Mounts   []Mount
	Dirs     []Dir        // made on top of the layers if missing: /tmp, /proc, /build, ...
	Files    []StaticFile // placed into the guest's tree over the layers: /etc/machine-id, ...
	Static   []StaticTree // trees beside "root"
	Epoch    int64        // ns since 1970
	StateDir string       // holds upper data (unlinked files); "" = os.TempDir
	// SingleID: only guest uid 0 and gid 0 are mapped. The kernel is then
	// told owner 0 for every file; the virtual owner still travels in
	// st_blocks (see PackBlocks).
	SingleID bool
	Vary     vary.Plan // sources that are varied
	Profile  bool      // measure how long requests take
	Digests  string    // file in which content digests are kept between runs (see package digests); "" = none
	Resume   string    // tar of changes (TarRequest) of an earlier run of the same layers, made again; "" = none
	HostTime bool      // times are the host's, not SetNow's
	MaxBytes uint64    // what statfs reports as size of the file system; 0 = default 64 GiB
}

// Mount grafts a layer at a guest path. Later mounts cover earlier ones.
type Mount struct {
	Guest string // absolute clean path in the guest; "/" for the image
	Ref   string // as image.Open understands it: "host", "dir:PATH", "tar:PATH", "input:PATH"; or "sha256:HEX" in Store
	Store string // directory of the store that holds Ref
	// KeepMtime keeps the host's times instead of the epoch.
	KeepMtime   bool
	Owner       uint32   // uid and gid of all files that the layer gives to root
	Older       int64    // ns by which all its files are older than they would be
	FollowLinks bool     // follow symlinks that lead out of an input
	Hide        []string // patterns of paths in an input that are not shown
	HostOrder   uint64   // as image.Options has it
	Label       string   // for reports: "image", "input"
}

// Dir is a directory that exists in every run.
type Dir struct {
	Path     string
	Mode     uint32 // permission bits
	UID, GID uint32
	// Fresh drops whatever the layers have there.
	Fresh bool
	// Volume, if not 0, makes the directory the top of a volume of its own
	// (see Volume); it takes effect where the directory is made.
	Volume uint8
	Extra  bool // its inode number is none that others would have without it
}

// A volume is a part of the tree that looks like a file system of its own
// (/dev, /dev/shm): whoever adjusts stat results gives it another st_dev. The
// inode number says which one, so nothing else has to carry it. Files belong
// to the volume of the directory in which they were made.
const (
	MaxVolume    = 100
	StaticVolume = 128 // + index in Config.Static
)

// Volume is the volume of a file: 0 for the guest's root, else that of
// Dir.Volume or StaticVolume. top says that the inode is a Dir's with Volume
// or the top of a static tree.
func Volume(ino uint64) (volume int, top bool) {
	switch {
	case ino >= imageIno:
		return 0, false
	case ino >= staticIno:
		return StaticVolume + int(ino>>32&0x7f), uint32(ino) == 0
	}
	v := int(ino >> volumeShift)
	return v, v != 0 && ino&(1<<volumeShift-1) == volumeTop
}

// MainVolume tells which inode numbers are of volume 0, as Volume does: those
// from image on, and those below others.
func MainVolume() (image, others uint64) { return imageIno, 1 << volumeShift }

// StaticFile is a file with constant content (Link: a symlink to Content).
type StaticFile struct {
	Path    string
	Mode    uint32 // permission bits
	Content []byte
	Link    bool
	Dir     bool // an empty directory instead; missing parents are made in any case
	// Serial, if not 0, sets the inode number to one that depends on it and
	// the volume only. It must be below 2^32 and used once per volume.
	Serial uint32
	Hidden bool   // no listing shows it
	Door   string // the door that its content came through: Summary.Doors
	Extra  bool   // as Dir.Extra
	Before bool   // Content goes in front of what the layers have there
}

// SerialIno is the inode number of a StaticFile with Serial in a volume.
func SerialIno(volume int, serial uint32) uint64 {
	if volume >= StaticVolume {
		return staticIno | uint64(volume-StaticVolume)<<32 | 1<<31 | uint64(serial)
	}
	return uint64(volume)<<volumeShift | 1<<32 | uint64(serial)
}

// StaticTree is a read-only tree beside "root"; directories are implied by the files' paths.
type StaticTree struct {
	Name  string
	Files []StaticFile
	// Lines are more files, each a line "path=content" with its newline: a short way
	// for hundreds of settings. They have mode 0644.
	Lines string
}

// nameMax is the longest file name.
const nameMax = 255

// PackNamelen puts a file's volume into the length of names that FUSE hands to
// the kernel and statfs(2) hands back; the supervisor takes it out.
func PackNamelen(volume int) uint64 { return uint64(volume)<<16 | nameMax }

// UnpackNamelen is the inverse of PackNamelen.
func UnpackNamelen(n uint64) (volume int, namelen uint64) { return int(n >> 16), n & 0xffff }

// MappedIDs is how many ids the guest's user namespace maps, from 0, unless it
// is one. Files can have any owner; processes only those.
const MappedIDs = 65536

// PackBlocks puts the virtual owner of a file into the 64-bit block count
// that FUSE hands to the kernel and stat(2) hands back: uid<<32 | gid. The
// supervisor adjusts every stat result anyway; it takes the owner from here
// and derives the real block count from the size (BlocksForSize). So chown to any id works
// when only one id is mapped, with no round trip.
func PackBlocks(uid, gid uint32) uint64 { return uint64(uid)<<32 | uint64(gid) }

// UnpackBlocks is the inverse of PackBlocks.
func UnpackBlocks(b uint64) (uid, gid uint32) { return uint32(b >> 32), uint32(b) }

// BlocksForSize is st_blocks (512-byte units) of a file of size bytes: whole
// 4 KiB pages, holes or not.
func BlocksForSize(size int64) int64 { return (size + 4095) / 4096 * 8 }

// Change is one difference between the tree at the start and now.
type Change struct {
	Path string `json:"path"` // absolute guest path
	Kind string `json:"kind"` // "added", "modified", "deleted", "meta"
	Type uint32 `json:"type"` // S_IFMT bits; 0 for deleted
	Size int64  `json:"size"`
	Ino  uint64 `json:"ino"` // 0 for deleted
}

// TarRequest selects what WriteTar writes.
type TarRequest struct {
	// Changes: the whole upper layer with whiteouts (".wh.NAME"), as one
	// canonical tar: sorted by path, logical times, owners and modes as
	// the guest saw them.
	Changes bool `json:"changes"`
	// Under limits Changes to these absolute guest prefixes (empty: all).
	Under []string `json:"under"`
	// Paths: merged view of these absolute guest paths and everything below them.
	Paths []string `json:"paths"`
}

// Summary ends a run.
type Summary struct {
	Layers []LayerSummary `json:"layers"`
	// ChangesDigest is the SHA-256 of the canonical changes (same bytes as the
	// tar of TarRequest{Changes: true}), if it was asked for.
	ChangesDigest string                    `json:"changes_digest"`
	Changed       int                       `json:"changed"`  // number of changed paths
	Varied        []vary.Metered            `json:"varied"`   // events of varied sources
	Requests      map[string]stopwatch.Span `json:"requests"` // FUSE requests by opcode name; times with Profile
	Doors         []string                  `json:"doors"`    // StaticFile.Door of those that were read, in that order
}

// LayerSummary describes one mount at the end of the run.
type LayerSummary struct {
	Guest    string `json:"guest"`
	Ref      string `json:"ref"`
	Label    string `json:"label"`
	Portable bool   `json:"portable"`
	Changed  string `json:"changed,omitempty"` // error text when the host's files changed during the run
}

// Learned is what the run learned from one mount's layer.
type Learned struct {
	Digest       string              `json:"digest"` // image.Layer.Digest
	Count        int                 `json:"count"`
	Newest       int64               `json:"newest"`       // image.Newest
	Observations []image.Observation `json:"observations"` // when they were asked for
}
