// A benchmark whose work depends on the time: its profile does, too.
#include <time.h>
volatile int sink;
__attribute__((noinline)) static void odd(int i) { sink += i * 3; }
__attribute__((noinline)) static void even(int i) { sink ^= i * 5 + 1; }
int main(void) {
	int late = time(0) > 1780000000;
	for (int i = 0; i < 1000; i++)
		if (late)
			odd(i);
		else
			even(i);
	return 0;
}
