package probes

import "os"

func identityTable() []Probe {
	const s = "Identity"
	// Only root can run the native side as another user and under another host name.
	byRoot, why := Perturbed, ""
	if os.Geteuid() != 0 {
		byRoot, why = Answer, "only root can perturb it"
	}
	return []Probe{
		{Section: s, Line: "pid, tid, ppid, pgid, sid", Name: "id_pids"},
		{Section: s, Line: "pidfd inode", Name: "id_pidfd"},
		{Section: s, Line: "ids after wrap-around", Name: "id_wrap", Slow: true},
		{Section: s, Line: "process state letters in /proc", Name: "id_states", Varies: Answer, Why: "right letters are the same everywhere"},
		{Section: s, Line: "uid, gid, groups, capabilities, id maps", Name: "id_creds", Varies: byRoot, Why: why},
		{Section: s, Line: "uname (all fields), /proc/version", Name: "id_uname", Varies: Host},
		{Section: s, Line: "host name, domain name", Name: "id_hostname", Varies: byRoot, Why: why},
		{Section: s, Line: "umask", Name: "id_umask", Varies: Perturbed},
		{Section: s, Line: "rlimits", Name: "id_rlimits", Varies: Perturbed},
		{Section: s, Line: "nice level, scheduler policy, ioprio, oom score, cgroup path", Name: "id_scheduling", Varies: Perturbed},
		{Section: s, Line: "session keyrings", Name: "id_keyring", Varies: Host},
		{Section: s, Line: "personality", Name: "id_personality", Varies: Answer, Why: "differs only below setarch"},
		{Section: s, Line: "environment, LANG, TZ, PATH, HOME, TERM; build path", Name: "id_environment", Varies: Perturbed},
		{Section: s, Line: "terminal size, isatty", Name: "id_terminal", Varies: Answer, Why: "TestStandardStreams varies how dettrace is started"},
		{Section: s, Line: "standard streams", Name: "id_stdio"},
		{Section: s, Line: "identity as tools show it", Name: "id_tools", Cmd: "id; whoami; groups; uname -a; hostname; ulimit -a; nice; locale; tty; echo $$ $PPID; pwd; echo ~", Native: "id; uname -a; hostname; ulimit -a; nice; echo $$; pwd; tty || :; echo ~"},
		{Section: s, Line: "processes as tools show them", Name: "id_ps", Cmd: "ps -ef; ps aux", Needs: "ps"},
	}
}
