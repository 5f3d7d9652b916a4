package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ProfileRow says where the time of one run of a workload in dettrace went.
type ProfileRow struct {
	Name                          string
	Served, Stops, Requests       int
	Guest, Supervisor, FileSystem time.Duration // FileSystem is within Guest, but for what nobody waits for
	Most                          []span        // of the stops, longest first
	Error                         string
}

// span is a line of the profile in a run's report.
type span struct {
	Name  string
	Count int
	NS    time.Duration
}

// profileRows runs each wanted workload once.
func profileRows(ctx context.Context, o options, source, micro string) []ProfileRow {
	var rows []ProfileRow
	for _, w := range workloads(o.cache, source, o.scale) {
		if !wanted(w.name, o.rows) || ctx.Err() != nil {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s: profile\n", w.name)
		row := ProfileRow{Name: w.name}
		if err := row.measure(ctx, o, w, micro); err != nil {
			row.Error = err.Error()
		}
		rows = append(rows, row)
	}
	return rows
}

func (p *ProfileRow) measure(ctx context.Context, o options, w workload, micro string) error {
	dir, err := os.MkdirTemp("/var/tmp", "dettrace-bench-profile-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "report.json")
	r := runner{name: "dettrace", wrap: []string{o.dettrace, "run", "--timing", "--report", file}, cpu: o.cpu, scratch: "/var/tmp", micro: micro, limit: 20 * time.Minute, container: true}
	if _, err := r.run(ctx, w); err != nil {
		return err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return p.read(b)
}

// read takes the figures from a report.
func (p *ProfileRow) read(report []byte) error {
	var r struct {
		Stops struct{ Total, Served int }
		Host  struct {
			Profile struct {
				Guest      time.Duration `json:"guest_ns"`
				Supervisor time.Duration `json:"supervisor_ns"`
				FileSystem time.Duration `json:"file_system_ns"`
				Stops      []span
				Requests   []span
			}
		}
	}
	if err := json.Unmarshal(report, &r); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	t := &r.Host.Profile
	p.Served, p.Guest, p.Supervisor, p.FileSystem = r.Stops.Served, t.Guest, t.Supervisor, t.FileSystem
	for _, s := range t.Stops {
		p.Stops += s.Count
	}
	for _, s := range t.Requests {
		p.Requests += s.Count
	}
	const most = 4
	p.Most = t.Stops[:min(most, len(t.Stops))]
	return nil
}

func writeProfiles(w io.Writer, rows []ProfileRow) error {
	fmt.Fprintln(w, "| workload | served in the guest | stops | FUSE requests | guest | supervisor | file system | the longest stops, ms |")
	fmt.Fprintln(w, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |")
	for _, p := range rows {
		if p.Error != "" {
			fmt.Fprintf(w, "| %s | %s |\n", p.Name, p.Error)
			continue
		}
		var most []string
		for _, s := range p.Most {
			most = append(most, fmt.Sprintf("%d %s %.0f", s.Count, s.Name, s.NS.Seconds()*1e3))
		}
		_, err := fmt.Fprintf(w, "| %s | %d | %d | %d | %.2f s | %.0f ms | %.0f ms | %s |\n", p.Name, p.Served, p.Stops, p.Requests,
			p.Guest.Seconds(), p.Supervisor.Seconds()*1e3, p.FileSystem.Seconds()*1e3, strings.Join(most, ", "))
		if err != nil {
			return err
		}
	}
	return nil
}
