// Two threads append to one list, each in turn as it comes.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static char list[64];
static int n;
static void *work(void *name) {
	for (int i = 0; i < 8; i++) {
		getppid();
		list[n++] = *(char *)name;
	}
	return 0;
}
int main(void) {
	pthread_t a, b;
	pthread_create(&a, 0, work, "a");
	pthread_create(&b, 0, work, "b");
	pthread_join(a, 0);
	pthread_join(b, 0);
	puts(list);
	return 0;
}
