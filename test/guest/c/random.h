// Random choices that a seed repeats, and errors by name, for programs that do
// the same natively and in a container.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint64_t random_state;

// splitmix64.
static uint64_t random_next(void) {
	uint64_t z = random_state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}
static int below(int n) { return (random_next() >> 33) % n; }
static int one_in(int n) { return below(n) == 0; }
#define PICK(a) (a)[below(sizeof(a) / sizeof *(a))]

// what a call said: its result, or the error's name.
static const char *said(long r) {
	static char b[8][24];
	static int i;
	if (r == -1) return strerrorname_np(errno);
	snprintf(b[i = (i + 1) % 8], sizeof b[0], "%ld", r);
	return b[i];
}
