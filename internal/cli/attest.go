package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dettrace/internal/attest"
	"dettrace/internal/digests"
	"dettrace/internal/hint"
	"dettrace/internal/inputs"
	"dettrace/internal/lock"
	"dettrace/internal/output"
	"dettrace/internal/report"
	"dettrace/internal/run"
)

// exitNotVerified is the status of attest verify for what is not to be trusted.
const exitNotVerified = 1

type attestFlags struct {
	key, inputs, builder, output string
	builds                       []string
	force                        bool
}

func (a App) attestCommand(status *int) *cobra.Command {
	var f attestFlags
	cmd := &cobra.Command{
		Use:   "attest [flags] REPORT|LOCK",
		Short: "Sign a statement of what a run was made from",
		Long: `Write an in-toto statement with SLSA provenance v1 about the run of a REPORT
(dettrace run --report) or the builds of a LOCK (dettrace.lock): outputs, settings and
everything that was read, by digest. With --key it is signed with ed25519, in a DSSE
envelope, one line for each build; without, the statement alone is printed.`,
		Example: `  dettrace attest keygen builder
  dettrace build
  dettrace attest --key builder.key -o hello.intoto.jsonl dettrace.lock
  dettrace attest verify --key builder.pub --artifact hello hello.intoto.jsonl

  dettrace run --report run.json --list-inputs read.json -o hello -- make hello
  dettrace attest --key builder.key --list-inputs read.json run.json`,
		Args:                  oneArg("REPORT or LOCK"),
		DisableFlagsInUseLine: true,
		RunE:                  func(_ *cobra.Command, args []string) error { return a.attest(f, args[0]) },
	}
	fs := cmd.Flags()
	fs.StringVar(&f.key, "key", "", "sign with the private key in `FILE` (PEM)")
	fs.StringVar(&f.inputs, "list-inputs", "", "name every file in `FILE`, which run --list-inputs wrote with the report")
	fs.StringArrayVar(&f.builds, "only", nil, "of a lock: build `NAME` only (repeatable)")
	fs.StringVar(&f.builder, "builder-id", "", "`URI` of who answers for the build (default "+attest.DefaultBuilder+")")
	fs.StringVarP(&f.output, "output", "o", "", "write to `FILE` (default standard output)")
	fs.BoolVar(&f.force, "force", false, "replace FILE if it exists")
	fs.SortFlags = false
	cmd.AddCommand(a.keygenCommand(), a.attestVerifyCommand(status))
	return cmd
}

// attest writes the statements about one file.
func (a App) attest(f attestFlags, name string) error {
	text, err := os.ReadFile(a.hostPath(name))
	if err != nil {
		return err
	}
	statements, err := a.statements(f, text)
	if err != nil {
		return hint.With(fmt.Errorf("%s: %w", name, err), hint.Of(err))
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, s := range statements {
		payload, err := s.Marshal()
		if err != nil {
			return hint.With(fmt.Errorf("%s: %w", name, err), hint.Of(err))
		}
		if f.key == "" {
			out.Write(append(payload, '\n'))
			continue
		}
		pemText, err := os.ReadFile(a.hostPath(f.key))
		if err != nil {
			return err
		}
		key, err := attest.PrivateKey(pemText)
		if err != nil {
			return hint.With(fmt.Errorf("--key %s: %w", f.key, err), hint.Of(err))
		}
		envelope, err := attest.Sign(payload, key)
		if err != nil {
			return err
		}
		if err := enc.Encode(envelope); err != nil {
			return err
		}
	}
	if f.output == "" {
		_, err := a.Host.Stdout.Write(out.Bytes())
		return err
	}
	return output.Save(&out, a.hostPath(f.output), output.Options{Force: f.force})
}

// statements tells reports and locks apart and describes what they are about.
func (a App) statements(f attestFlags, text []byte) ([]*attest.Statement, error) {
	info, _ := debug.ReadBuildInfo()
	o := attest.Options{Builder: f.builder, Version: versionText(info)}
	var kind struct {
		Builds  map[string]json.RawMessage `json:"builds"`
		Command []string                   `json:"command"`
	}
	if err := json.Unmarshal(text, &kind); err != nil || kind.Builds == nil && kind.Command == nil {
		return nil, hint.With(errors.New("neither a report nor a lock"), "dettrace run --report FILE writes the one, dettrace build the other")
	}
	if kind.Builds == nil {
		if len(f.builds) > 0 {
			return nil, errors.New("--only: this is a report of one run")
		}
		var r report.Report
		if err := json.Unmarshal(text, &r); err != nil {
			return nil, err
		}
		var lines []inputs.Line
		if f.inputs != "" {
			b, err := os.ReadFile(a.hostPath(f.inputs))
			if err == nil {
				lines, err = inputs.Parse(bytes.NewReader(b))
			}
			if err != nil {
				return nil, err
			}
		}
		s, err := attest.FromReport(&r, lines, o)
		return []*attest.Statement{s}, err
	}
	if f.inputs != "" {
		return nil, errors.New("--list-inputs: a lock holds the list itself")
	}
	l, err := lock.Read(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(l.Builds))
	for _, n := range f.builds {
		if !slices.Contains(names, n) {
			return nil, hint.With(fmt.Errorf("no build %q", n), "the builds are: "+strings.Join(names, ", "))
		}
	}
	if len(f.builds) > 0 {
		names = f.builds
	}
	o.Version = l.Dettrace
	var out []*attest.Statement
	for _, n := range names {
		if len(f.builds) == 0 && len(l.Builds[n].Outputs) == 0 && len(names) > 1 {
			continue // such as a build that only tests
		}
		s, err := attest.FromLock(n, l.Builds[n], o)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

func (a App) keygenCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "keygen [flags] NAME",
		Short: "Make a pair of ed25519 keys, NAME.key and NAME.pub",
		Example: `  dettrace attest keygen builder
  dettrace attest keygen --json builder`,
		Args:                  oneArg("NAME"),
		DisableFlagsInUseLine: true,
		RunE:                  func(_ *cobra.Command, args []string) error { return a.keygen(args[0], asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the names of the files and the key's id as JSON")
	return cmd
}

// newKeys is what keygen tells as JSON.
type newKeys struct {
	Private string `json:"private"` // file
	Public  string `json:"public"`  // file
	KeyID   string `json:"keyid"`   // as in envelopes
}

func (a App) keygen(name string, asJSON bool) error {
	private, public, err := attest.NewKey()
	if err != nil {
		return err
	}
	key, err := attest.PublicKey(public)
	if err != nil {
		return err
	}
	k := newKeys{Private: name + ".key", Public: name + ".pub"}
	if k.KeyID, err = attest.KeyID(key); err != nil {
		return err
	}
	if err := writeKey(a.hostPath(k.Private), private, 0o600); err != nil {
		return err
	}
	if err := writeKey(a.hostPath(k.Public), public, 0o644); err != nil {
		return errors.Join(err, os.Remove(a.hostPath(k.Private))) // no use alone
	}
	if asJSON {
		return writeJSON(a.Host.Stdout, k)
	}
	a.say("wrote %s, which is to be kept secret, and %s", k.Private, k.Public)
	return nil
}

// verified is the result of attest verify.
func writeKey(name string, text []byte, mode os.FileMode) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return hint.With(err, "an existing key is never replaced")
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

type verified struct {
	Builder   string            `json:"builder"`
	Subjects  []attest.Resource `json:"subjects"`
	Inputs    int               `json:"inputs"`
	Artifacts []checked         `json:"artifacts"`
}

type checked struct {
	File   string   `json:"file"`
	Digest string   `json:"digest"`
	Names  []string `json:"names"` // of the subjects it is
}

func (a App) attestVerifyCommand(status *int) *cobra.Command {
	var key, builder string
	var artifacts []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify --key FILE [flags] FILE",
		Short: "Verify a signed statement, and that artifacts are what it is about",
		Long: `Verify the signature of every envelope in FILE with the public key, that each holds
an in-toto statement with SLSA provenance v1, and that each artifact is one of the
statements' subjects, by its SHA-256.

Exit status: 0 verified, 1 not, 125 failure of dettrace.`,
		Example: `  dettrace attest verify --key builder.pub hello.intoto.jsonl
  dettrace attest verify --key builder.pub --artifact hello hello.intoto.jsonl
  dettrace attest verify --key builder.pub --json hello.intoto.jsonl`,
		Args:                  oneArg("FILE"),
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			err := a.attestVerify(key, builder, artifacts, args[0], asJSON)
			switch {
			case errors.Is(err, attest.ErrNotVerified):
				*status = exitNotVerified
			case err != nil:
				*status = run.ExitFailure
			}
			return err
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&key, "key", "", "the public key in `FILE` (PEM)")
	fs.StringArrayVar(&artifacts, "artifact", nil, "`FILE` must be a subject (repeatable)")
	fs.StringVar(&builder, "builder-id", "", "the builder must be `URI`")
	fs.BoolVar(&asJSON, "json", false, "print the result as JSON")
	fs.SortFlags = false
	return cmd
}

func (a App) attestVerify(keyFile, builder string, artifacts []string, name string, asJSON bool) error {
	if keyFile == "" {
		return hint.With(errors.New("no key"), "--key FILE names the public key of who signed")
	}
	pemText, err := os.ReadFile(a.hostPath(keyFile))
	if err != nil {
		return err
	}
	key, err := attest.PublicKey(pemText)
	if err != nil {
		return hint.With(fmt.Errorf("--key %s: %w", keyFile, err), hint.Of(err))
	}
	b, err := os.ReadFile(a.hostPath(name))
	if err != nil {
		return err
	}
	envelopes, err := attest.ReadEnvelopes(bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var result []verified
	var statements []*attest.Statement
	for i, e := range envelopes {
		payload, err := e.Open(key)
		var s *attest.Statement
		if err == nil {
			s, err = attest.Parse(payload)
		}
		if err == nil && builder != "" && s.Predicate.RunDetails.Builder.ID != builder {
			err = fmt.Errorf("%w: the builder is %s", attest.ErrNotVerified, s.Predicate.RunDetails.Builder.ID)
		}
		if err != nil {
			return fmt.Errorf("%s: envelope %d: %w", name, i+1, err)
		}
		statements = append(statements, s)
		result = append(result, verified{s.Predicate.RunDetails.Builder.ID, s.Subject, len(s.Predicate.BuildDefinition.ResolvedDependencies), []checked{}})
	}
	for _, file := range artifacts {
		digest, err := digests.Of(a.hostPath(file))
		if err != nil {
			return err
		}
		found := false
		for i, s := range statements {
			if names := s.Names(digest); len(names) > 0 {
				found = true
				result[i].Artifacts = append(result[i].Artifacts, checked{file, digest, names})
			}
		}
		if !found {
			return fmt.Errorf("%s: %w: %s is no subject", file, attest.ErrNotVerified, digest)
		}
	}
	if asJSON {
		return writeJSON(a.Host.Stdout, result)
	}
	return tellVerified(a.Host.Stdout, result)
}

func tellVerified(w io.Writer, list []verified) error {
	for _, v := range list {
		if _, err := fmt.Fprintf(w, "verified: builder %s, %s\n", v.Builder, report.Plural(v.Inputs, "input")); err != nil {
			return err
		}
		for _, s := range v.Subjects {
			if _, err := fmt.Fprintf(w, "  sha256:%s  %s\n", s.Digest["sha256"], s.Name); err != nil {
				return err
			}
		}
		for _, c := range v.Artifacts {
			if _, err := fmt.Fprintf(w, "  %s is %s\n", c.File, strings.Join(c.Names, ", ")); err != nil {
				return err
			}
		}
	}
	return nil
}
