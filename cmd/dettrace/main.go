// Command dettrace runs a command in a reproducible container. See package
// cli for the command line and package run for what a run is.
//
// Names for the runtime's mappings would cost system calls at each start.
//
//go:debug decoratemappings=0
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"dettrace/internal/cli"
	"dettrace/internal/console"
	"dettrace/internal/cpu"
	"dettrace/internal/detfs"
	"dettrace/internal/perturb"
	"dettrace/internal/run"
	"dettrace/internal/scratch"
	"dettrace/internal/settings"
	"dettrace/internal/slack"
)

func main() {
	if len(os.Args) > 1 {
		// The helpers of a run come first: their start is part of every
		// run's, and they must not even parse flags.
		if hidden := hiddenCommand(os.Args[1]); hidden != nil {
			os.Exit(hidden(os.Args[2:]))
		}
	}
	os.Exit(user())
}

// hiddenCommand is the entry of a process that dettrace starts itself.
func hiddenCommand(name string) func(args []string) int {
	switch name {
	case detfs.ServerCommand:
		return detfs.ServerMain
	case scratch.Command:
		return scratch.Main
	case perturb.Command:
		return func(args []string) int { return perturb.Main(args, os.Environ()) }
	}
	return nil
}

// user is the command line that people see.
func user() int {
	slack.Widen() // a run's few milliseconds are too many looks of the runtime's monitor
	dir, err := os.Getwd()
	if err != nil {
		cli.Complain(os.Stderr, err)
		return run.ExitFailure
	}
	terminal := console.OpenHost(os.Stdin)
	defer terminal.Restore() // a second time, if all went well
	interrupt, forward := signals(terminal)
	app := cli.App{
		Host: settings.Host{
			CPU: cpu.Host(),
			Dir: dir, Env: os.Environ(), Now: time.Now,
			Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
			Terminal: terminal,
		},
		Run:       run.Run,
		Interrupt: interrupt,
		Forward:   forward,
	}
	return app.Main(context.Background(), os.Args[1:])
}

// signals gives a channel that is closed at the first Ctrl-C, SIGTERM or
// hang-up; the run then ends the guest and cleans up. A second one ends dettrace
// at once, and the kernel ends the guest, whose namespace dies with us. After
// forward they all go to its channel instead, as do those that programs take
// for a purpose of their own.
func signals(terminal *console.Host) (interrupt <-chan struct{}, forward func() <-chan os.Signal) {
	caught := make(chan os.Signal, 2)
	catch(caught, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	// A reader of our output that went away is an EPIPE and not our death:
	// the run still cleans up. A handler (unlike SIG_IGN) is not inherited.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	done := make(chan struct{})
	go func() {
		<-caught
		close(done)
		again := <-caught
		_ = terminal.Restore() // it is too late to complain
		os.Exit(128 + int(again.(syscall.Signal)))
	}()
	return done, func() <-chan os.Signal {
		passed := make(chan os.Signal, 64)
		catch(passed, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
			syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH)
		signal.Stop(caught)
		return passed
	}
}

// catch has signals sent to c, but for those that our parent ignores for us, as
// nohup(1) does with SIGHUP and a shell with a background job's SIGINT.
func catch(c chan<- os.Signal, list ...os.Signal) {
	for _, s := range list {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
}
