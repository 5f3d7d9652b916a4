// The driver runs a list of probes one after another in one container and
// frames what each printed, so that a difference names its probe:
//   @@begin NAME, @@out LEN + bytes, @@err LEN + bytes, @@end STATUS
#include "probe.h"

static void copy_out(const char *tag, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY);
	MUST(fd >= 0 && fstat(fd, &st) == 0);
	printf("@@%s %ld\n", tag, (long)st.st_size);
	for (off_t left = st.st_size; left > 0;) {
		char buf[65536];
		ssize_t r = read(fd, buf, left < (off_t)sizeof buf ? left : (off_t)sizeof buf);
		MUST(r > 0);
		fwrite(buf, 1, r, stdout);
		left -= r;
	}
	close(fd);
}

static void redirect(const char *path, int fd)
{
	int o = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0666);
	if (o < 0)
		_exit(120);
	dup2(o, fd);
	close(o);
}

// driver LIST WORK: LIST holds lines NAME<TAB>COMMAND.
PROBE(driver)
{
	static char list[1 << 20];
	char top[PATH_MAX];
	MUST(arg_count == 2);
	MUST(slurp(arg_list[0], list, sizeof list) >= 0);
	MUST(mkdir(arg_list[1], 0777) == 0 || errno == EEXIST);
	MUST(chdir(arg_list[1]) == 0 && getcwd(top, sizeof top));
	for (char *line = strtok(list, "\n"); line; line = strtok(0, "\n")) {
		char *cmd = strchr(line, '\t'), dir[PATH_MAX + 300];
		int st;
		MUST(cmd);
		*cmd++ = 0;
		printf("@@begin %s\n", line);
		fflush(stdout);
		snprintf(dir, sizeof dir, "%s/%s", top, line);
		MUST(mkdir(dir, 0777) == 0);
		pid_t pid = fork();
		MUST(pid >= 0);
		if (pid == 0) {
			setsid();
			redirect("stdout", 1);
			redirect("stderr", 2);
			close(0);
			if (open("/dev/null", O_RDONLY) != 0 || chdir(dir))
				_exit(121);
			execl("/bin/sh", "sh", "-c", cmd, (char *)0);
			_exit(122);
		}
		MUST(waitpid(pid, &st, 0) == pid);
		kill(-pid, SIGKILL);
		MUST(chdir(top) == 0);
		copy_out("out", "stdout");
		copy_out("err", "stderr");
		printf("@@end %d\n", WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st));
		fflush(stdout);
	}
	printf("@@done\n");
}

// Load on one CPU and on memory, for perturbed runs.
PROBE(load)
{
	char *m = malloc(64 << 20);
	for (unsigned i = 0;; i += 4099)
		m[i % (64 << 20)]++;
}
