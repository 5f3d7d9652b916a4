// Writes a struct whose padding was never set, from a part of the stack that the
// dynamic linker has not used: what it leaves there are inode numbers and clock
// readings, which would be causes of their own.
#include <stdio.h>
struct record { char kind; long value; char name[20000]; };
__attribute__((noinline)) static void emit(void) {
	struct record r;
	r.kind = 1;
	r.value = 2;
	fwrite(&r, sizeof r, 1, stdout);
}
__attribute__((noinline)) static void deeper(int n) {
	char gap[8192];
	__asm__ volatile("" : : "r"(gap) : "memory");
	if (n)
		deeper(n - 1);
	else
		emit();
	__asm__ volatile("" : : "r"(gap) : "memory");
}
int main(void) { deeper(6); return 0; }
