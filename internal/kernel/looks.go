package kernel

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/binary"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"dettrace/internal/cpu"
	"dettrace/internal/cpusite"
	"dettrace/internal/fastpath"
	"dettrace/internal/ptrace"
	"dettrace/internal/syscalls"
)

// Programs see the virtual CPU of the machine (package cpu): instructions that
// look at it are replaced in text when it is mapped, by jumps into the region or
// by an instruction that traps. Neither is an event: what they show is constant.

// looks is what is known of text, and what escaped.
type looks struct {
	files map[string]*cpusite.Result // by first page, where that says which file it is
	// unproved counts places by file and instruction; made is set when code that
	// the guest made itself was not looked through.
	unproved map[string]map[cpusite.Op]int
	made     bool
	// left counts those in text that interpreters mapped, as unproved does.
	left map[string]map[cpusite.Op]int
	// clean counts mappings of files without such instructions, by inode number.
	clean map[uint64]int
}

// lookHead is how much of a file tells which one it is: see cpusite.Result.BuildID.
const lookHead = 4096

// onlyLook reports a stop that is no event although the row is.
func (k *Kernel) onlyLook(t *Task, r *syscalls.Row) bool {
	return r.Filter.Decide([6]uint64{t.arg(0), t.arg(1), t.arg(2), t.arg(3), t.arg(4), t.arg(5)}) == syscalls.Look
}

// text is what is known of a file that begins with head. find tells its inode
// number and name; it is asked where head does not tell the file from others.
func (k *Kernel) text(head []byte, find func() (ino uint64, name string)) *cpusite.Result {
	if k.cfg.CPUSites == nil || k.cfg.Fast == nil || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return nil
	}
	if r := k.looks.files[string(head)]; r != nil {
		return r
	}
	ino, name := find()
	if ino == 0 {
		return nil
	}
	r, err := k.cfg.CPUSites(ino)
	if err != nil {
		return nil // the server is gone: the run ends
	}
	k.looks.note(name, r.Unproved)
	if r.BuildID && len(head) == lookHead {
		const most = 4096
		if k.looks.files == nil || len(k.looks.files) >= most {
			k.looks.files = map[string]*cpusite.Result{}
		}
		k.looks.files[string(head)] = &r
	}
	return &r
}

// note counts places that are not proved to be no instructions.
func (l *looks) note(name string, list []cpusite.Place) {
	if len(list) == 0 || l.unproved[name] != nil {
		return
	}
	ops := map[cpusite.Op]int{}
	for _, p := range list {
		ops[p.Op]++
	}
	if l.unproved == nil {
		l.unproved = map[string]map[cpusite.Op]int{}
	}
	l.unproved[name] = ops
}

// replaceLooks replaces such instructions in the fresh image of t: the program
// and the dynamic linker, if there is one, whose addresses the kernel says.
func (k *Kernel) replaceLooks(t *Task, phdr, linker uint64) {
	t.proc.phdr, t.proc.linker = phdr, linker
	over := t.proc.over
	bases := []uint64{phdr &^ (lookHead - 1)}
	if linker != 0 {
		bases = append(bases, linker)
	}
	heads := scratch(&k.headBuf, len(bases)*lookHead)
	n := ptrace.ReadMems(t.tid, bases, lookHead, heads)
	t.proc.interprets = linker == 0 && n > 0 && elfType(heads) == elf.ET_EXEC
	for i, base := range bases[:n] {
		head := heads[i*lookHead:][:lookHead]
		r := k.text(head, func() (uint64, string) { return mappedFile(t.tid, base) })
		if r == nil {
			continue
		}
		k.replaceAt(t, r.Sites, func(s *cpusite.Site) (uint64, bool) {
			addr := base + s.Addr - r.Start
			return addr, addr-over.Addr >= uint64(over.Size) // else it is in the copy
		})
	}
}

// mappedFile is the inode number and the path of the file that is mapped at
// addr from its beginning.
func mappedFile(tid int, addr uint64) (ino uint64, name string) {
	b, err := readProc("/proc/" + strconv.Itoa(tid) + "/maps")
	if err != nil {
		return 0, ""
	}
	want := strconv.FormatUint(addr, 16) + "-"
	for l := range strings.Lines(string(b)) {
		// address, permissions, offset, device, inode, path
		f := strings.Fields(l)
		if len(f) < 5 || !strings.HasPrefix(strings.TrimLeft(f[0], "0"), want) || strings.Trim(f[2], "0") != "" {
			continue
		}
		if ino, err = strconv.ParseUint(f[4], 10, 64); err != nil {
			return 0, ""
		}
		if len(f) > 5 {
			name = f[5]
		}
		return ino, name
	}
	return 0, ""
}

// elfType is the type of the ELF file that begins with head.
func elfType(head []byte) elf.Type { return elf.Type(binary.LittleEndian.Uint16(head[16:])) }

// leave notes sites that stay as they are.
func (l *looks) leave(name string, sites []cpusite.Site) {
	if l.left[name] != nil {
		return
	}
	ops := map[cpusite.Op]int{}
	for _, s := range sites {
		ops[s.Op]++
	}
	if l.left == nil {
		l.left = map[string]map[cpusite.Op]int{}
	}
	l.left[name] = ops
}

// mapText looks through a file of the tree, part of which t is about to map
// executable, and replaces at the end of the call. It does not in a program at
// fixed addresses that has no dynamic linker: what such a program maps it hardly
// runs. Valgrind is one, which translates the text and would follow a jump into
// the region as if it were the program's.
func (k *Kernel) mapText(t *Task, f *file) verdict {
	head := make([]byte, lookHead)
	n, err := unix.Pread(f.fd, head, 0)
	if err != nil {
		return pass // not open for reading: the kernel refuses
	}
	r := k.text(head[:n], func() (uint64, string) { return fdinfoNumber(f.fd, "ino:\t"), f.link() })
	if r == nil {
		return pass
	}
	offset, size := int64(t.arg(5)), int64(t.arg(1))
	var sites []cpusite.Site
	for _, s := range r.Sites {
		if start := s.Off - int64(s.Before); start >= offset && start+int64(len(s.Old)) <= offset+size {
			sites = append(sites, s)
		}
	}
	if len(sites) == 0 {
		if len(r.Sites) == 0 {
			k.cleanText(f)
		}
		return pass
	}
	if t.proc.interprets {
		k.looks.leave(f.link(), sites)
		k.uncontrolled("what " + f.link() + " can see of the host's CPU, mapped by " + t.proc.describe())
		return pass
	}
	t.onExit = func(t *Task) {
		at := t.result()
		if at <= 0 {
			return
		}
		k.replaceAt(t, sites, func(s *cpusite.Site) (uint64, bool) { return uint64(at) + uint64(s.Off-offset), true })
		if v, err := ptrace.FindVMA(t.tid, uint64(at)); err == nil && k.fast != nil {
			k.wantText(t, v)
		}
	}
	return toExit
}

// cleanText lets the region map a file by itself that has been met often and
// has nothing in it to be replaced.
func (k *Kernel) cleanText(f *file) {
	if k.fast == nil || k.cfg.CopyText == nil {
		return
	}
	ino := fdinfoNumber(f.fd, "ino:\t")
	if k.looks.clean == nil {
		k.looks.clean = map[uint64]int{}
	}
	if k.looks.clean[ino]++; ino != 0 && k.looks.clean[ino] == copyAfter {
		_ = k.fast.Clean(ino, func() error { return k.cfg.CopyText(ino, 0, 0, 0, fastpath.ChangedOffset) }) // else it stops
	}
}

// replaceAt replaces sites at the addresses that at says, in memory that has
// just been mapped: no thread has been there yet.
func (k *Kernel) replaceAt(t *Task, list []cpusite.Site, at func(*cpusite.Site) (uint64, bool)) {
	m := &t.proc.mm.fast
	var sites []*fastpath.Site
	for i := range list {
		addr, ok := at(&list[i])
		if !ok {
			continue
		}
		s := k.cfg.Fast.Look(addr, &list[i])
		if !m.mapped || k.moves(s.Start) {
			trap := *s
			trap.New = s.Trap
			s = &trap
		}
		sites = append(sites, s)
	}
	slices.SortFunc(sites, func(a, b *fastpath.Site) int { return cmp.Compare(a.Start, b.Start) })
	const gap, most = 4096, 64 << 10
	for len(sites) > 0 {
		from, to, n := sites[0].Start&^7, sites[0].End(), 1
		for ; n < len(sites) && sites[n].Start-to < gap && sites[n].End()-from < most; n++ {
			to = max(to, sites[n].End())
		}
		to = (to + 7) &^ 7
		buf := make([]byte, to-from)
		k.cfg.FileIDs.With(func() {
			if got, _ := ptrace.ReadMem(t.tid, from, buf); got == len(buf) {
				k.replaceIn(t, sites[:n], from, buf)
			}
		})
		sites = sites[n:]
	}
}

// replaceIn replaces sites in buf, which is t's memory from from on.
func (k *Kernel) replaceIn(t *Task, sites []*fastpath.Site, from uint64, buf []byte) {
	done := sites[:0:0]
	for _, s := range sites {
		if b := buf[s.Start-from:][:len(s.Old)]; bytes.Equal(b, s.Old) { // else it is no text of that file any more
			copy(b, s.New)
			done = append(done, s)
		}
	}
	if len(done) == 0 {
		return
	}
	mem, err := t.proc.memFile()
	if err == nil {
		_, err = mem.WriteAt(buf, int64(from))
	}
	if err != nil && ptrace.PokeText(t.tid, from, buf) != nil {
		return // gone
	}
	for _, s := range done {
		t.proc.mm.fast.add(s)
	}
}

// look answers an instruction that looks at the CPU, at which t stands with its
// registers loaded: it was replaced by one that traps, or it is cpuid and the
// CPU can be made to trap there. size 0: it is none.
func (k *Kernel) look(t *Task, code []byte) (size uint64) {
	m := &k.cfg.Machine
	op := cpusite.Op(0)
	if s := k.lookAt(t, t.regs.Rip); s != nil {
		before := int(s.Addr - s.Start)
		if trap := s.Trap[before:][:s.Size]; bytes.HasPrefix(code, trap) {
			op, size, code = s.Op, uint64(s.Size), s.Old[before:][:s.Size]
		}
	}
	if op == 0 && bytes.HasPrefix(code, []byte{0x0f, 0xa2}) {
		op, size = cpusite.CPUID, 2
	}
	r := &t.regs
	switch op {
	case cpusite.CPUID:
		a := m.CPU.CPUID(uint32(r.Rax), uint32(r.Rcx), m.CPUs)
		r.Rax, r.Rbx, r.Rcx, r.Rdx = uint64(a[0]), uint64(a[1]), uint64(a[2]), uint64(a[3])
	case cpusite.XGETBV:
		x := m.CPU.XCR0()
		r.Rax, r.Rdx = x&(1<<32-1), x>>32
	case cpusite.RDRAND, cpusite.RDSEED:
		k.event(t)
		setNumber(r, code, binary.LittleEndian.Uint64(k.rand.bytes(8)))
		const carry, others = 1, 1<<2 | 1<<4 | 1<<6 | 1<<7 | 1<<11
		r.Eflags = r.Eflags&^others | carry
		if k.log != nil {
			k.log.printf(k.Now()-k.cfg.Epoch, t, "%s", op)
		}
	case cpusite.RDPID:
		setNumber(r, code, uint64(t.attr.CPUs.First())) // of node 0
	default:
		return 0
	}
	return size
}

// lookAt is the site that was replaced at addr in t's memory or, if t has it, in
// a copy of text; nil if there is none.
func (k *Kernel) lookAt(t *Task, addr uint64) *fastpath.Site {
	m := &t.proc.mm.fast
	if s := m.patched[addr]; s != nil && s.Op != 0 {
		return s
	}
	if k.fast == nil || !m.mapped {
		return nil
	}
	for _, x := range k.fast.Texts() {
		if s := x.Sites[addr]; s != nil && s.Op != 0 {
			return s
		}
	}
	return nil
}

// setNumber sets the register that the ModRM byte at the end of code names, in
// the size that its prefixes say.
func setNumber(r *ptrace.Regs, code []byte, v uint64) {
	regs := [...]*uint64{&r.Rax, &r.Rcx, &r.Rdx, &r.Rbx, &r.Rsp, &r.Rbp, &r.Rsi, &r.Rdi,
		&r.R8, &r.R9, &r.R10, &r.R11, &r.R12, &r.R13, &r.R14, &r.R15}
	var rex byte
	small := false
	for _, b := range code {
		if b == 0x0f {
			break
		}
		small = small || b == 0x66
		if b&0xf0 == 0x40 {
			rex = b
		}
	}
	to := regs[code[len(code)-1]&7|rex&1<<3]
	switch {
	case rex&8 != 0:
		*to = v
	case small:
		*to = *to&^0xffff | v&0xffff
	default:
		*to = v & (1<<32 - 1)
	}
}

const hostModel = "features of the host's CPU (--cpu-model host)"

// codeMade notes that t's process can run code that nobody looked through.
func (k *Kernel) codeMade(t *Task) {
	k.looks.made = true
	k.uncontrolled("what code that the guest makes can see of the host's CPU, made by " + t.proc.describe())
}

// EveryCPU is what each guest can see of the host's CPU, whatever it runs.
func EveryCPU() []string { return []string{"lsl of the CPU's segment", "size of signal frames"} }

// VisibleCPU lists what the guest could see of the host's CPU. A strict run ends at
// what is surely there to be seen; places that are not proved to be no instructions
// are data nearly always (tables of OpenSSL), and listed only.
func (k *Kernel) VisibleCPU() []string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(k.looks.unproved)) {
		for op := cpusite.CPUID; op <= cpusite.RDPID; op++ {
			if n := k.looks.unproved[name][op]; n > 0 && (op != cpusite.CPUID || !k.faults) {
				list = append(list, op.String()+", if that is what stands in "+name+" ("+itoa(n)+")")
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(k.looks.left)) {
		for op := cpusite.CPUID; op <= cpusite.RDPID; op++ {
			if n := k.looks.left[name][op]; n > 0 && (op != cpusite.CPUID || !k.faults) {
				list = append(list, op.String()+" in "+name+" ("+itoa(n)+"), mapped by a static program that may interpret it")
			}
		}
	}
	if k.looks.made && k.faults {
		list = append(list, "rdrand, rdseed, rdpid and xgetbv in code that the guest made while it ran")
	} else if k.looks.made {
		list = append(list, "cpuid, rdrand, rdseed, rdpid and xgetbv in code that the guest made while it ran")
	}
	if k.cfg.Machine.CPU.Name == cpu.HostName {
		list = append(list, hostModel)
	}
	return append(list, EveryCPU()...)
}
