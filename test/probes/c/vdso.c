// Time and Randomness sections: every symbol of the vDSO, called directly.
#include "probe.h"
#include <elf.h>
#include <sys/auxv.h>

static void *vdso_symbol(const char *want, int list)
{
	char *base = (char *)getauxval(AT_SYSINFO_EHDR);
	if (!base)
		return 0;
	Elf64_Ehdr *eh = (Elf64_Ehdr *)base;
	Elf64_Phdr *ph = (Elf64_Phdr *)(base + eh->e_phoff);
	Elf64_Dyn *dyn = 0;
	char *load = 0;
	for (int i = 0; i < eh->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !load)
			load = base + ph[i].p_offset - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (Elf64_Dyn *)(base + ph[i].p_offset);
	}
	MUST(dyn && load);
	Elf64_Sym *sym = 0;
	char *str = 0;
	unsigned *hash = 0, *gnu = 0, count = 0;
	for (; dyn->d_tag; dyn++) {
		if (dyn->d_tag == DT_SYMTAB)
			sym = (Elf64_Sym *)(load + dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_STRTAB)
			str = load + dyn->d_un.d_ptr;
		if (dyn->d_tag == DT_HASH)
			hash = (unsigned *)(load + dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_GNU_HASH)
			gnu = (unsigned *)(load + dyn->d_un.d_ptr);
	}
	MUST(sym && str);
	if (hash)
		count = hash[1];
	else if (gnu) {
		unsigned *bucket = gnu + 4 + gnu[2] * 2, *chain = bucket + gnu[0];
		for (unsigned i = 0; i < gnu[0]; i++)
			if (bucket[i] >= count && bucket[i])
				for (count = bucket[i]; !(chain[count++ - gnu[1]] & 1);)
					;
	}
	for (unsigned i = 0; i < count; i++) {
		const char *n = str + sym[i].st_name;
		if (list && *n && sym[i].st_shndx && ELF64_ST_TYPE(sym[i].st_info) == STT_FUNC)
			printf("%s\n", n);
		if (want && !strcmp(n, want) && sym[i].st_shndx)
			return load + sym[i].st_value;
	}
	return 0;
}

PROBE(vdso_symbols)
{
	vdso_symbol(0, 1);
	printf("base %lx\n", getauxval(AT_SYSINFO_EHDR));
}

PROBE(vdso_clock_gettime)
{
	int (*f)(clockid_t, struct timespec *) = vdso_symbol("__vdso_clock_gettime", 0);
	int (*res)(clockid_t, struct timespec *) = vdso_symbol("__vdso_clock_getres", 0);
	struct timespec t, u;
	for (int id = 0; id < 12; id++) {
		if (id == 10 || id == CLOCK_REALTIME_ALARM || id == CLOCK_BOOTTIME_ALARM)
			continue;
		int64_t before = syscall(SYS_clock_gettime, id, &t) ? -1 : ts_ns(t);
		if (!f)
			break;
		int r = f(id, &t);
		int64_t after = syscall(SYS_clock_gettime, id, &u) ? -1 : ts_ns(u);
		CHECK((r == 0) == (before >= 0), "clock %d", id);
		if (r == 0) {
			CHECK(ts_ns(t) >= before && ts_ns(t) <= after, "clock %d", id);
			printf("%d %ld\n", id, ts_ns(t));
		}
		if (res) {
			int a = res(id, &t), b = syscall(SYS_clock_getres, id, &u);
			CHECK((a == 0) == (b == 0));
			CHECK(a || ts_ns(t) == ts_ns(u), "clock %d: vdso %ld, call %ld", id, ts_ns(t), ts_ns(u));
		}
	}
	// Without a vDSO the C library must still tell the time.
	printf("%ld\n", now(CLOCK_REALTIME));
}

PROBE(vdso_time)
{
	time_t (*f)(time_t *) = vdso_symbol("__vdso_time", 0);
	int (*g)(struct timeval *, void *) = vdso_symbol("__vdso_gettimeofday", 0);
	struct timeval tv = {0};
	int64_t before = now(CLOCK_REALTIME);
	time_t t = f ? f(0) : time(0);
	if (g)
		g(&tv, 0);
	else
		gettimeofday(&tv, 0);
	int64_t after = now(CLOCK_REALTIME);
	CHECK(t >= before / SEC && t <= after / SEC);
	int64_t v = tv.tv_sec * SEC + tv.tv_usec * 1000;
	CHECK(v >= before - 1000 && v <= after);
	printf("%ld %ld\n", t, v);
}

PROBE(vdso_getcpu)
{
	unsigned (*f)(unsigned *, unsigned *, void *) = vdso_symbol("__vdso_getcpu", 0);
	unsigned c = 77, n = 77;
	for (int i = 0; i < 4; i++) {
		if (f)
			f(&c, &n, 0);
		else
			syscall(SYS_getcpu, &c, &n, 0);
		printf("%u %u\n", c, n);
		CHECK(c < (unsigned)sysconf(_SC_NPROCESSORS_CONF) && n == 0);
	}
}

struct opaque { uint32_t size, prot, flags, reserved[13]; };

PROBE(vdso_getrandom)
{
	ssize_t (*f)(void *, size_t, unsigned, void *, size_t) = vdso_symbol("__vdso_getrandom", 0);
	unsigned char a[32] = {0}, b[32] = {0};
	if (f) {
		struct opaque o;
		MUST(f(0, 0, 0, &o, ~0ul) == 0);
		void *state = mmap(0, 4096, o.prot, o.flags, -1, 0);
		MUST(state != MAP_FAILED && o.size <= 4096);
		CHECK(f(a, 32, 0, state, o.size) == 32);
		CHECK(f(b, 32, 0, state, o.size) == 32);
	} else {
		CHECK(getentropy(a, 32) == 0 && getentropy(b, 32) == 0);
	}
	CHECK(memcmp(a, b, 32));
	for (int i = 0; i < 32; i++)
		printf("%02x%02x", a[i], b[i]);
	puts("");
}
