package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dettrace/internal/cpu"
)

// A program sees the virtual CPU wherever it looks: with and without fast paths,
// in code that cannot be replaced by a jump, in code that it makes itself,
// in a child, and after it has unmapped the fast paths.
func TestCPUModel(t *testing.T) {
	dir := compile(t, "cpu")
	for _, name := range cpu.Names() {
		m, err := cpu.Named(name, cpu.Host())
		if err != nil {
			t.Fatal(err)
		}
		if missing := m.Missing(cpu.Host()); len(missing) > 0 {
			r := sigLab.Run(t, "--cpu-model", name, "--", "true")
			if r.Status != 125 || !strings.Contains(r.Stderr, missing[0]) {
				t.Errorf("%s: status %d\n%s", name, r.Status, r.Stderr)
			}
			continue
		}
		t.Run(name, func(t *testing.T) {
			args := []string{"--cpu-model", name, "--cpus", "2", "-i", dir + ":/t", "--", "/t/cpu"}
			out := twice(t, args...)
			seen := map[string]int{}
			for _, l := range out {
				var leaf, sub uint32
				var r cpu.Regs
				how, rest, _ := strings.Cut(l, " ")
				seen[how]++
				switch how {
				case "cpuid", "trapped", "made", "child", "without":
					if _, err := fmt.Sscanf(rest, "%x.%x %x %x %x %x", &leaf, &sub, &r[0], &r[1], &r[2], &r[3]); err != nil {
						t.Fatalf("%q: %v", l, err)
					}
					if want := m.CPUID(leaf, sub, 2); r != want {
						t.Errorf("%s: want %x", l, want)
					}
				case "flags":
					if rest != "55, other 1234567890abcdef" { // of -1 + 1: carry, parity, auxiliary, zero
						t.Error(l)
					}
				case "xgetbv":
					if want := fmt.Sprintf("%x 0", m.XCR0()); rest != want {
						t.Errorf("%s, want %s", l, want)
					}
				case "hwcap":
					if want := fmt.Sprintf("%x", m.HWCAP(2)); rest != want {
						t.Errorf("%s, want %s", l, want)
					}
				case "rdrand":
					if !strings.HasSuffix(rest, " 1") {
						t.Error(l)
					}
				}
			}
			if seen["cpuid"] != 63 || seen["child"] != 63 || seen["without"] != 63 || seen["made"] != 3 || seen["rdrand"] != 3 {
				t.Errorf("%v in\n%s", seen, strings.Join(out, "\n"))
			}
			if r := sigLab.OK(t, append([]string{"--no-fast-paths"}, args...)...); strings.TrimSpace(r.Stdout) != strings.Join(out, "\n") {
				t.Errorf("without fast paths:\n%s", r.Stdout)
			}
			if r := sigLab.OK(t, append([]string{"--log", filepath.Join(t.TempDir(), "log")}, args...)...); strings.TrimSpace(r.Stdout) != strings.Join(out, "\n") {
				t.Errorf("with a log:\n%s", r.Stdout)
			}
		})
	}
}

// The same in a program that is moved before it begins: nothing that was put
// into its text may know where it was.
func TestCPUOfMovedProgram(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc")
	}
	dir := t.TempDir()
	if out, err := exec.Command("gcc", "-O1", "-w", "-pie", "-fPIE", "-o", filepath.Join(dir, "cpu"), filepath.Join("c", "cpu.c")).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	looks := func(flags ...string) string {
		var b strings.Builder
		for l := range strings.Lines(sigLab.OK(t, append(flags, "-i", dir+":/t", "--", "/t/cpu")...).Stdout) {
			if how, _, _ := strings.Cut(l, " "); how == "cpuid" || how == "child" || how == "without" {
				b.WriteString(l)
			}
		}
		return b.String()
	}
	want := looks()
	if n := strings.Count(want, "\n"); n != 3*63 {
		t.Fatalf("%d lines:\n%s", n, want)
	}
	for _, seed := range []string{"1", "2", "3"} {
		if got := looks("--vary", "aslr", "--vary-seed", seed); got != want {
			t.Errorf("seed %s:\n%s", seed, got)
		}
	}
}

// What libraries make of it: dynamically linked programs, each with cpuid in
// their libraries' constructors.
func TestCPUOfLibraries(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	r := sigLab.OK(t, "--report", report, "--", "/lib64/ld-linux-x86-64.so.2", "--help")
	if !strings.Contains(r.Stdout, "x86-64-v2 (supported") || strings.Contains(r.Stdout, "x86-64-v3 (supported") {
		t.Error(r.Stdout)
	}
	b, err := os.ReadFile(report)
	if err != nil || strings.Contains(string(b), `"cpuid"`) {
		t.Errorf("%v\n%s", err, b)
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("needs gcc")
	}
	r = sigLab.OK(t, "--cpu-model", "x86-64-v2", "--", "gcc", "-march=native", "-Q", "--help=target")
	if !strings.Contains(strings.Join(strings.Fields(r.Stdout), " "), "-march= nehalem") {
		t.Error(r.Stdout)
	}
}
