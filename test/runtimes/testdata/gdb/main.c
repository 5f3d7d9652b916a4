#include <stdio.h>

static int f(int x) { return x * 2; }

int main(void)
{
	int t = 0;
	for (int i = 0; i < 3; i++)
		t += f(i);
	printf("%d\n", t);
	return 0;
}
