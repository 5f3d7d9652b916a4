// What prctl(2) says of huge pages, and that it keeps and hands on what is set.
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int get(void) { return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0); }

int main(void)
{
	int before = get(), set = prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), after = get(), status;
	pid_t p = fork();
	if (p == 0)
		_exit(get());
	waitpid(p, &status, 0);
	printf("%d %d %d %d\n", before, set, after, WEXITSTATUS(status));
}
