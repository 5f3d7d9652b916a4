// A library whose only function makes a system call of its own.
int answer(void) {
	long r;
	__asm__ volatile("mov $21, %%eax\n\tsyscall\n\tcmp $-4095, %%rax" // access
			 : "=a"(r)
			 : "D"("/etc/passwd"), "S"(0)
			 : "rcx", "r11", "memory", "cc");
	return r == 0 ? ANSWER : -1;
}
