// Writes the address of something, as debug output and caches keyed by pointers do.
#include <stdio.h>
#include <stdlib.h>
int main(void) { printf("object at %p\n", malloc(24)); return 0; }
