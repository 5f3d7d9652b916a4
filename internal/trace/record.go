// Package trace is the structured record of a run: who made which call on
// which file and which bytes of it, in the order in which things happened. A
// trace is a file of JSON lines, compressed with zstd, and a function of the
// run's inputs like everything else.
//
// The event log (dettrace run --log) holds the same events for people and for
// comparing; a trace holds what programs need to answer questions.
package trace

// Version counts incompatible changes of the format.
const Version = 1

// Kind says what a record tells.
type Kind string

// The kinds of records.
const (
	Start   Kind = "start"   // the first record: what was run
	Call    Kind = "call"    // a system call that is an event
	Birth   Kind = "birth"   // a process or thread began; Parent is the process that made it
	Exec    Kind = "exec"    // a process became another program
	Exit    Kind = "exit"    // a process ended
	Signal  Kind = "signal"  // a signal was delivered
	Changed Kind = "changed" // after the end: a path that the run changed, and the file there
	End     Kind = "end"     // the last record of a complete trace
)

// Op is what a call did to the bytes of its file.
type Op string

// The ops; calls that move no bytes have none.
const (
	Read     Op = "read"
	Write    Op = "write"
	Truncate Op = "truncate" // to File.Off bytes
	MapRead  Op = "map"      // a mapping that the guest only reads, or changes privately
	MapWrite Op = "map-write"
)

// Record is one line of a trace.
type Record struct {
	N    uint64 `json:"n"`   // position in the trace, from 1
	Time int64  `json:"t"`   // logical ns since the start of the run
	PID  int    `json:"pid"` // the guest's numbers
	TID  int    `json:"tid"`
	Kind Kind   `json:"kind"`

	// Of a Call.
	Name   string `json:"call,omitempty"`
	Args   string `json:"args,omitempty"` // as in the event log
	Dur    int64  `json:"dur,omitempty"`  // logical ns until its end
	Result int64  `json:"ret"`            // negative: -errno. Of an Exit: the status as the shell sees it
	Errno  string `json:"errno,omitempty"`
	Op     Op     `json:"op,omitempty"`
	File   *File  `json:"file,omitempty"`  // what it is about
	Data   string `json:"data,omitempty"`  // digest of the bytes that were moved: equal bytes, equal digests
	Other  *File  `json:"other,omitempty"` // the source of a copy, the new name of a rename or link

	Parent int      `json:"ppid,omitempty"` // of a Birth
	Argv   []string `json:"argv,omitempty"` // of an Exec and the Start
	Change string   `json:"change,omitempty"`

	// Of the Start.
	Version int    `json:"version,omitempty"`
	Workdir string `json:"workdir,omitempty"`
}

// File names a file and, if bytes were moved, which.
type File struct {
	// Path is where the file was then, in the guest. Pipes, sockets and standard streams
	// have names without a slash in front: "pipe:3", "stdout".
	Path string `json:"path"`
	// Ino is the inode number of a file of the tree, by which it is the same
	// whatever its name; 0 if it is not known.
	Ino uint64 `json:"ino,omitempty"`
	// Off and Len are bytes. Of a stream, Off counts from its beginning.
	Off int64 `json:"off,omitempty"`
	Len int64 `json:"len,omitempty"`
}

// Failed reports a call that gave an error.
func (r *Record) Failed() bool { return r.Kind == Call && r.Result < 0 && r.Errno != "" }
