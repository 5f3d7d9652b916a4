// Command table runs the probes and prints the proof table of the catalogue.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"

	"dettrace/test/probes"
)

func main() {
	var o probes.Options
	section := flag.String("section", "", "only sections that match this regular expression")
	name := flag.String("probe", "", "only probes that match this regular expression")
	binary := flag.String("dettrace", "", "binary under test (default: built from this tree)")
	flag.BoolVar(&o.Slow, "slow", false, "slow probes too")
	flag.BoolVar(&o.NativeOnly, "native", false, "only the native side")
	flag.IntVar(&o.Repeat, "repeat", 1, "identical container runs besides the first")
	flag.IntVar(&o.BatchSize, "batch", 0, "probes in one container")
	flag.Parse()
	if *section != "" {
		o.Section = regexp.MustCompile(*section)
	}
	if *name != "" {
		o.Name = regexp.MustCompile(*name)
	}
	o.Progress = os.Stderr
	rows, err := probes.RunAll(".", *binary, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(2)
	}
	probes.Print(os.Stdout, rows)
	for _, r := range rows {
		if !r.OK() {
			os.Exit(1)
		}
	}
}
