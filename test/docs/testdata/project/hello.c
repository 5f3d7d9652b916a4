#include <stdio.h>
#include "config.h"

int main(void)
{
	puts("Hello, " NAME "!");
	return 0;
}
