// What mincore(2) says of memory that is there, and of holes and nonsense.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static unsigned char vec[64];

static void look(const char *what, char *from, size_t n, unsigned char *to)
{
	memset(vec, 7, sizeof vec);
	int r = mincore(from, n, to);
	printf("%s: %s", what, r ? strerrorname_np(errno) : "ok");
	for (int i = 0; r == 0 && i < 5; i++)
		printf(" %d", vec[i]);
	printf("\n");
}

int main(void)
{
	char *m = mmap(0, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(m, 1, 4 * 4096);
	look("all", m, 4 * 4096, vec);
	look("a part", m, 4097, vec);
	look("none", m, 0, vec);
	look("odd", m + 1, 4096, vec);
	look("no vector", m, 4096, (void *)8);
	munmap(m + 2 * 4096, 4096);
	look("hole", m, 4 * 4096, vec);
	look("nothing", m + 2 * 4096, 4096, vec);
	look("before", m, 2 * 4096, vec);
	look("too long", m, -4096ul, vec);
	look("kernel", (char *)0xffff800000000000, 4096, vec);
}
