package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Row is one workload measured against one runner.
type Row struct {
	Name     string  `json:"name"`
	Against  string  `json:"against"` // dettrace or a peer
	Pairs    int     `json:"pairs"`
	Target   float64 `json:"target,omitempty"`
	Native   spread  `json:"native_wall_s"`
	Wall     spread  `json:"wall_s"`
	Ratio    spread  `json:"wall_ratio"`
	CPU      spread  `json:"cpu_ratio"`
	NetRatio spread  `json:"wall_ratio_without_startup"`
	Error    string  `json:"error,omitempty"`
	Raw      []pair  `json:"raw"`
}

type pair struct {
	Native cost `json:"native"`
	Other  cost `json:"other"`
}

// MemoryRow is a peak of memory.
type MemoryRow struct {
	Name  string           `json:"name"`
	PeakK map[string]int64 `json:"peak_kb"` // by process: supervisor, file system
	Wall  float64          `json:"wall_s"`
	Error string           `json:"error,omitempty"`
}

// Report is the whole result.
type Report struct {
	Machine map[string]string `json:"machine"`
	Rows    []Row             `json:"rows"`
	Imports []ImportRow       `json:"imports"`
	Memory  []MemoryRow       `json:"memory"`
}

// newRow computes a row; start holds the start-up of both sides in seconds.
func newRow(w workload, against string, pairs []pair, start pair) Row {
	row := Row{Name: w.name, Against: against, Pairs: len(pairs), Target: w.target, Raw: pairs}
	var native, wall, ratio, cpu, net []float64
	for _, p := range pairs {
		native = append(native, p.Native.Wall)
		wall = append(wall, p.Other.Wall)
		ratio = append(ratio, p.Other.Wall/p.Native.Wall)
		if p.Native.CPU > 0 {
			cpu = append(cpu, p.Other.CPU/p.Native.CPU)
		}
		if n := p.Native.Wall - start.Native.Wall; n > 0 {
			net = append(net, max(0, p.Other.Wall-start.Other.Wall)/n)
		}
	}
	row.Native, row.Wall, row.Ratio, row.CPU, row.NetRatio = spreadOf(native), spreadOf(wall), spreadOf(ratio), spreadOf(cpu), spreadOf(net)
	return row
}

func (r Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r Report) writeMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Machine: %s, kernel %s, %s CPUs. Median of the pairs (smallest to largest).\n\n", r.Machine["cpu"], r.Machine["kernel"], r.Machine["cpus"])
	b.WriteString("| workload | against | pairs | native | wall | wall ratio | without start-up | CPU ratio | target |\n")
	b.WriteString("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, x := range r.Rows {
		if x.Error != "" {
			fmt.Fprintf(&b, "| %s | %s | %d | failed: %s | | | | | |\n", x.Name, x.Against, x.Pairs, x.Error)
			continue
		}
		target := "-"
		if x.Target > 0 && x.Against == "dettrace" {
			target = fmt.Sprintf("%.2f", x.Target)
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %s | %s |\n", x.Name, x.Against, x.Pairs,
			seconds(x.Native.Median), seconds(x.Wall.Median), ratioText(x.Ratio), ratioText(x.NetRatio), ratioText(x.CPU), target)
	}
	if len(r.Imports) > 0 {
		b.WriteString("\n| MB/s, CPU time | sha256, one thread | tar -x, syncfs | import | import again |\n| --- | ---: | ---: | ---: | ---: |\n")
		for _, x := range r.Imports {
			if x.Error != "" {
				fmt.Fprintf(&b, "| %s | failed: %s | | | |\n", x.Name, x.Error)
				continue
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", x.Name, rate(x.MB, x.Hash), rate(x.MB, x.Write), rate(x.MB, x.Import), rate(x.MB, x.Again))
		}
	}
	if len(r.Memory) > 0 {
		b.WriteString("\n| peak memory | supervisor | file system | wall |\n| --- | ---: | ---: | ---: |\n")
		for _, m := range r.Memory {
			if m.Error != "" {
				fmt.Fprintf(&b, "| %s | failed: %s | | |\n", m.Name, m.Error)
				continue
			}
			fmt.Fprintf(&b, "| %s | %.1f MB | %.1f MB | %s |\n", m.Name, float64(m.PeakK["supervisor"])/1024, float64(m.PeakK["file system"])/1024, seconds(m.Wall))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func ratioText(s spread) string {
	return fmt.Sprintf("%.2f (%.2f-%.2f)", s.Median, s.Min, s.Max)
}

// rate is MB per second, of the median, the slowest and the fastest round, and the CPU
// time of the median.
func rate(mb int, p passes) string {
	return fmt.Sprintf("%.0f (%.0f-%.0f), %.2f s", float64(mb)/p.Wall.Median, float64(mb)/p.Wall.Max, float64(mb)/p.Wall.Min, p.CPU.Median)
}

func seconds(s float64) string {
	if s < 1 {
		return fmt.Sprintf("%.1f ms", s*1000)
	}
	return fmt.Sprintf("%.2f s", s)
}
