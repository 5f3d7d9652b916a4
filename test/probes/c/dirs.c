// Files section: directories, their order, and changes while they are read.
#include "probe.h"

PROBE(dir_order)
{
	const char *n[] = {"zeta", "alpha", "Mid", "10", "9", "\xc3\xa4", "b.c", ".hid", "beta", "a"};
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 10; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%s", n[i]);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	int c = 0;
	while ((e = readdir(o))) {
		printf("%s %ld\n", e->d_name, (long)e->d_off);
		c++;
	}
	CHECK(c == 12, "%d entries", c);
	rewinddir(o);
	for (c = 0; (e = readdir(o)); c++)
		;
	CHECK(c == 12, "after rewinddir %d entries", c);
	closedir(o);
	// Image directories.
	o = opendir("/usr/bin");
	MUST(o);
	uint64_t h = HASH0;
	char first[300] = "";
	while ((e = readdir(o))) {
		if (!*first && e->d_name[0] != '.')
			strcpy(first, e->d_name);
		h = hash_bytes(h, e->d_name, strlen(e->d_name) + 1);
	}
	printf("/usr/bin %s %lx\n", first, h);
	closedir(o);
}

// Sorted bytewise: what the container adds to POSIX.
PROBE(dir_sorted)
{
	char last[300] = "";
	int sorted = 1, n = 0;
	MUST(mkdir("d", 0755) == 0);
	for (unsigned i = 0, x = 1; i < 2000; i++) {
		char p[64];
		x = x * 1103515245 + 12345;
		snprintf(p, sizeof p, "d/%x", x);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	while ((e = readdir(o))) {
		if (e->d_name[0] == '.')
			continue;
		if (strcmp(last, e->d_name) >= 0)
			sorted = 0;
		strcpy(last, e->d_name);
		n++;
	}
	closedir(o);
	CHECK(n == 2000, "%d", n);
	printf("sorted %d\n", sorted);
}

PROBE(dir_seek)
{
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < 50; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%03d", i);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	char name[60][64];
	long pos[60];
	int n = 0;
	for (pos[0] = telldir(o); (e = readdir(o)); pos[n] = telldir(o))
		strcpy(name[n++], e->d_name);
	CHECK(n == 52);
	for (int i = n - 1; i >= 0; i--) {
		seekdir(o, pos[i]);
		e = readdir(o);
		CHECK(e && !strcmp(e->d_name, name[i]), "seekdir to %d", i);
		printf("%ld\n", pos[i]);
	}
	closedir(o);
}

// Deleting and creating during an iteration: nothing old that stays is lost
// or shown twice.
static void dir_mutation(int drop)
{
	enum { N = 3000 };
	static char seen[N];
	int created = 0;
	MUST(mkdir("d", 0755) == 0);
	for (int i = 0; i < N; i++) {
		char p[64];
		snprintf(p, sizeof p, "d/%05d", i);
		spit(p, "");
	}
	DIR *o = opendir("d");
	struct dirent *e;
	uint64_t h = HASH0;
	for (int k = 0; (e = readdir(o)); k++) {
		char p[300];
		h = hash_bytes(h, e->d_name, strlen(e->d_name) + 1);
		if (e->d_name[0] >= '0' && e->d_name[0] <= '9') {
			int i = atoi(e->d_name);
			CHECK(!seen[i], "%d twice", i);
			seen[i] = 1;
			snprintf(p, sizeof p, "d/%s", e->d_name);
			if (k % 2)
				MUST(unlink(p) == 0);
		}
		if (k % 100 == 0) {
			snprintf(p, sizeof p, "d/new%d", created++);
			spit(p, "");
			if (drop && k % 1000 == 0) {
				int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
				if (fd >= 0) {
					(void)!write(fd, "2", 1);
					close(fd);
				}
			}
		}
		if (k > 2 * N)
			break;
	}
	for (int i = 0; i < N; i++)
		CHECK(seen[i], "%d lost", i);
	closedir(o);
	printf("%lx %d\n", h, created);
}

PROBE(dir_delete) { dir_mutation(0); }

PROBE(dir_delete_pressure) { dir_mutation(1); }

PROBE(dir_huge)
{
	int n = arg_count ? atoi(arg_list[0]) : 100000, c = 0;
	uint64_t h = HASH0;
	MUST(mkdir("d", 0755) == 0 && chdir("d") == 0);
	for (int i = 0; i < n; i++) {
		char p[32];
		snprintf(p, sizeof p, "%08x", i * 2654435761u);
		MUST(mknod(p, S_IFREG | 0644, 0) == 0);
	}
	DIR *o = opendir(".");
	struct dirent *e;
	while ((e = readdir(o))) {
		c++;
		h = hash_bytes(h, e->d_name, strlen(e->d_name));
	}
	CHECK(c == n + 2, "%d of %d", c, n + 2);
	printf("%lx %ld\n", h, st_of(".").st_size);
	rewinddir(o);
	while ((e = readdir(o)))
		if (e->d_name[0] != '.')
			MUST(unlink(e->d_name) == 0);
	closedir(o);
	o = opendir(".");
	for (c = 0; readdir(o); c++)
		;
	CHECK(c == 2, "%d left", c);
}
