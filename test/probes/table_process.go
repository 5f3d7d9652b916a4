package probes

func processTable() []Probe {
	const s = "Processes"
	const semantic = "its answer is right or wrong"
	const race = "a race"
	return []Probe{
		{Section: s, Line: "order of fork children, of exits, of wait(-1)", Name: "proc_order"},
		{Section: s, Line: "wait status", Name: "proc_status", Varies: Answer, Why: semantic},
		{Section: s, Line: "zombies, orphans, subreapers", Name: "proc_orphan"},
		{Section: s, Line: "vfork, posix_spawn", Name: "proc_vfork_spawn"},
		{Section: s, Line: "clone3 with common flags", Name: "proc_clone3"},
		{Section: s, Line: "exec from a thread", Name: "proc_exec_thread"},
		{Section: s, Line: "exit_group while others block", Name: "proc_exit_group"},
		{Section: s, Line: "process groups, sessions", Name: "proc_groups"},
		{Section: s, Line: "job control", Name: "proc_job_control"},
		{Section: s, Line: "job control of bash", Name: "proc_bash_jobs", Varies: Answer, Why: semantic,
			Cmd: `bash -c 'set -m; sleep 3 & sleep 2 & jobs -l | sed "s/[0-9]\{2,\}//"; wait -n; echo $?; kill %1; wait %1; echo $?'`, Native: `bash -c 'set -m; sleep 0.3 & sleep 0.2 & jobs; wait -n; echo $?; kill %1; wait %1; echo $?'`},
		{Section: s, Line: "pipelines of many stages", Name: "proc_pipeline", Varies: Answer, Why: semantic,
			Cmd: `seq 20000 | sort -R --random-source=/bin/sh | cat | tr 0-9 a-j | cat | tr a-j 0-9 | cat | sort -n | cat | md5sum | tee o; seq 20000 | md5sum | cmp - o`},
		{Section: s, Line: "jobserver of make -jN", Name: "proc_make_j", Needs: "make",
			Cmd: `printf 'all: 1 20 300 4 50 6 7000 8\n1 20 300 4 50 6 7000 8:\n\t@echo start $@ >> log; i=0; while [ $$i -lt $@ ]; do i=$$((i+1)); done; echo end $@ >> log\n' > Makefile; make -s -j4; cat log; test $(wc -l < log) = 16`, Varies: Answer, Why: race},
		{Section: s, Line: "jobserver across sub-makes", Name: "proc_make_sub", Needs: "make", Varies: Answer, Why: race,
			Cmd: `printf 'all: a b c\na b c:\n\t@$(MAKE) -s -f sub T=$@\n' > Makefile; printf 'all: 1 2 3\n1 2 3:\n\t@echo $(T)$@ >> log; sleep 0.01\n' > sub; make -s -j3; cat log; test $(wc -l < log) = 9`},
		{Section: s, Line: "interleaving of output of several writers", Name: "proc_writers", Cmd: `for i in 1 2 3 4 5 6; do (k=0; while [ $k -lt 500 ]; do echo $i.$k; k=$((k+1)); done) & done; wait`},
		{Section: s, Line: "several readers of one pipe", Name: "proc_readers"},
		{Section: s, Line: "pipe capacity and read sizes", Name: "proc_pipes", Varies: Answer, Why: race},
		{Section: s, Line: "FIFOs", Name: "proc_fifo"},
		{Section: s, Line: "FIFOs of the shell", Name: "proc_fifo_shell", Varies: Answer, Why: semantic,
			Cmd: `mkfifo p; (echo one > p; sleep 0.1; echo two > p) & cat p; cat p; wait`},
		{Section: s, Line: "ptys", Name: "proc_pty", Varies: Answer, Why: semantic},
		{Section: s, Line: "races on shared memory between processes", Name: "proc_race_memory"},
		{Section: s, Line: "races on files between processes", Name: "proc_race_files", Varies: Answer, Why: race},
		{Section: s, Line: "polling loops end", Name: "proc_poll_loops"},
		{Section: s, Line: "Python subprocess and multiprocessing", Name: "proc_python", Needs: "python3",
			Cmd: `python3 -c 'import multiprocessing as m, os, subprocess; p=m.Pool(3); print(p.map(abs, range(-20,0))); p.close(); p.join(); print(subprocess.run(["sh","-c","echo $$; exit 3"],stdout=-1))'`},
	}
}
