// A static program that, as Valgrind does, maps libraries to read them, has no
// vDSO, and makes code.
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = open(argv[1], O_RDONLY);
	struct stat st;
	if (fd < 0 || fstat(fd, &st))
		return 1;
	unsigned char *file = malloc(st.st_size);
	if (read(fd, file, st.st_size) != st.st_size)
		return 2;
	Elf64_Ehdr *e = (void *)file;
	Elf64_Phdr *p = (void *)(file + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X))
			continue;
		unsigned char *m = mmap(0, p[i].p_filesz, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, p[i].p_offset);
		printf("text %s\n", memcmp(m, file + p[i].p_offset, p[i].p_filesz) ? "differs" : "same");
	}

	munmap((void *)getauxval(AT_SYSINFO_EHDR), 2 * 4096);
	static const char code[] = "\xb8\x2a\x00\x00\x00\xc3"; // mov $42, %eax; ret
	unsigned char *m = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 3; i++) {
		memcpy(m + 4096 * i, code, sizeof code);
		printf("code %d\n", ((int (*)(void))(m + 4096 * i))());
	}
	return 0;
}
