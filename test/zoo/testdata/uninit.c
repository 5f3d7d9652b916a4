// Writes a struct whose padding was never set.
#include <stdio.h>
struct record { char kind; long value; char name[20000]; };
__attribute__((noinline)) static void emit(void) {
	struct record r;
	r.kind = 1;
	r.value = 2;
	fwrite(&r, sizeof r, 1, stdout);
}
int main(void) { emit(); return 0; }
