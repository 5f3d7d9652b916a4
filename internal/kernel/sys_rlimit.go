package kernel

// prlimit64(2), setrlimit(2): limits are fixed at the start and the same on
// every host; a process may lower its own as Linux lets it.
func sysPrlimit(k *Kernel, t *Task) verdict { return pass }
