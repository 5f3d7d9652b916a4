// Prints where things lie, and what is on the stack below main.
#include <stdio.h>
#include <stdlib.h>

static int data = 1;
static int sum(int n) {
	volatile unsigned char b[4096];
	int s = 0;
	for (unsigned i = 0; i < sizeof b; i++)
		s += b[i] * (i + 1);
	return n ? s + 3 * sum(n - 1) : s;
}

int main(void) {
	int local;
	printf("code %p\ndata %p\nstack %p\nheap %p\nlibrary %p\nbig %p\n", (void *)main, (void *)&data, (void *)&local, malloc(10),
	       (void *)printf, malloc(1 << 20));
	printf("garbage %x\n", sum(5));
	return 0;
}
