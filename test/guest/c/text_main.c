#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int answer(void);

// Writes the file argv[1] over argv[2], through a shared mapping.
static int mapped(const char *from, const char *to) {
	struct stat st;
	int in = open(from, O_RDONLY), out = open(to, O_RDWR);
	if (fstat(in, &st)) return 1;
	void *a = mmap(0, st.st_size, PROT_READ, MAP_PRIVATE, in, 0);
	void *b = mmap(0, st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, out, 0);
	if (a == MAP_FAILED || b == MAP_FAILED) return 2;
	memcpy(b, a, st.st_size);
	return msync(b, st.st_size, MS_SYNC);
}

int main(int argc, char **argv) {
	if (argc == 3) return mapped(argv[1], argv[2]);
	int a = 0;
	for (int i = 0; i < 5; i++) a = answer();
	printf("%d\n", a);
	return 0;
}
