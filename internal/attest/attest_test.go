package attest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"dettrace/internal/image"
	"dettrace/internal/inputs"
	"dettrace/internal/lock"
	"dettrace/internal/report"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The protocol's own vector: https://github.com/secure-systems-lab/dsse, protocol.md.
func TestPAE(t *testing.T) {
	const want = "DSSEv1 29 http://example.com/HelloWorld 11 hello world"
	if got := string(pae("http://example.com/HelloWorld", []byte("hello world"))); got != want {
		t.Errorf("%q", got)
	}
	if got := string(pae("", nil)); got != "DSSEv1 0  0 " {
		t.Errorf("%q", got)
	}
}

// seed is that of RFC 8032, section 7.1, test 1.
func testKey(t testing.TB) ed25519.PrivateKey {
	seed, err := hex.DecodeString("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
	must(t, err)
	key := ed25519.NewKeyFromSeed(seed)
	if got := hex.EncodeToString(key.Public().(ed25519.PublicKey)); got != "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a" {
		t.Fatalf("public key %s", got)
	}
	return key
}

func statement(t testing.TB) []byte {
	r := &report.Report{
		Command: []string{"make"}, Image: report.Image{Ref: "host", Guest: "/", Digest: "sha256:01", Observed: 3},
		Outputs: []report.Output{{Path: "/o/hello", Type: "file", Mode: "0755", Digest: "sha256:aa"}, {Path: "/o/link", Type: "symlink", Target: "x"}},
		Changes: report.Changes{Digest: "sha256:cc"},
	}
	s, err := FromReport(r, nil, Options{Version: "v"})
	must(t, err)
	b, err := s.Marshal()
	must(t, err)
	return b
}

// Every change of any byte of what is signed, and of the signature, is noticed;
// the key's id is only a hint.
func TestTampering(t *testing.T) {
	key := testKey(t)
	public := key.Public().(ed25519.PublicKey)
	payload := statement(t)
	good, err := Sign(payload, key)
	must(t, err)
	if got, err := good.Open(public); err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("%v", err)
	}
	again, err := Sign(payload, key)
	if err != nil || !reflect.DeepEqual(good, again) {
		t.Error("two signatures differ")
	}
	refused := func(what string, e Envelope, k ed25519.PublicKey) {
		t.Helper()
		if _, err := e.Open(k); !errors.Is(err, ErrNotVerified) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range payload {
		changed := bytes.Clone(payload)
		changed[i] ^= 1
		e := good
		e.Payload = base64.StdEncoding.EncodeToString(changed)
		refused("payload", e, public)
	}
	sig, err := base64.StdEncoding.DecodeString(good.Signatures[0].Sig)
	must(t, err)
	for i := range sig {
		changed := bytes.Clone(sig)
		changed[i] ^= 0x80
		e := good
		e.Signatures = []Signature{{good.Signatures[0].KeyID, base64.StdEncoding.EncodeToString(changed)}}
		refused("signature", e, public)
	}
	for what, change := range map[string]func(*Envelope){
		"type":              func(e *Envelope) { e.PayloadType = "text/plain" },
		"type, other case":  func(e *Envelope) { e.PayloadType = strings.ToUpper(e.PayloadType) },
		"no signature":      func(e *Envelope) { e.Signatures = nil },
		"empty signature":   func(e *Envelope) { e.Signatures = []Signature{{}} },
		"payload no base64": func(e *Envelope) { e.Payload = "!" + e.Payload },
		"payload with rest": func(e *Envelope) { e.Payload += "AAAA" },
		"short signature":   func(e *Envelope) { e.Signatures = []Signature{{"", base64.StdEncoding.EncodeToString(sig[:63])}} },
		"signed payload without encoding": func(e *Envelope) {
			e.Signatures = []Signature{{"", base64.StdEncoding.EncodeToString(ed25519.Sign(key, payload))}}
		},
		"signed another type": func(e *Envelope) {
			e.Signatures = []Signature{{"", base64.StdEncoding.EncodeToString(ed25519.Sign(key, pae("text/plain", payload)))}}
		},
		"signed lengths of another payload": func(e *Envelope) {
			e.Signatures = []Signature{{"", base64.StdEncoding.EncodeToString(ed25519.Sign(key, pae(PayloadType, append(bytes.Clone(payload), 'x'))))}}
		},
	} {
		e := good
		change(&e)
		refused(what, e, public)
	}
	_, other, err := NewKey()
	must(t, err)
	wrong, err := PublicKey(other)
	must(t, err)
	refused("wrong key", good, wrong)

	hinted := good
	hinted.Signatures = []Signature{{"other", "AAAA"}, {"", good.Signatures[0].Sig}}
	if _, err := hinted.Open(public); err != nil {
		t.Errorf("second signature, other id: %v", err)
	}
	url := good
	url.Payload = base64.URLEncoding.EncodeToString(payload)
	if _, err := url.Open(public); err != nil {
		t.Errorf("the other alphabet: %v", err)
	}
}

// A statement that was signed but is not what we look for is refused, too.
func TestParse(t *testing.T) {
	if _, err := Parse(statement(t)); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(map[string]any){
		"type":       func(m map[string]any) { m["_type"] = "https://in-toto.io/Statement/v0.1" },
		"predicate":  func(m map[string]any) { m["predicateType"] = "https://slsa.dev/provenance/v0.2" },
		"no subject": func(m map[string]any) { m["subject"] = []any{} },
		"form":       func(m map[string]any) { m["subject"] = "x" },
	} {
		var m map[string]any
		must(t, json.Unmarshal(statement(t), &m))
		change(m)
		b, err := json.Marshal(m)
		must(t, err)
		if _, err := Parse(b); !errors.Is(err, ErrNotVerified) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestReadEnvelopes(t *testing.T) {
	one := `{"payloadType":"t","payload":"","signatures":[]}`
	if e, err := ReadEnvelopes(strings.NewReader(one + "\n" + one + "\n")); err != nil || len(e) != 2 {
		t.Errorf("%v, %v", e, err)
	}
	for _, bad := range []string{"", "x", one + "x", `{"payload":1}`, `{"unknown":1}`} {
		if _, err := ReadEnvelopes(strings.NewReader(bad)); !errors.Is(err, ErrNotVerified) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestKeys(t *testing.T) {
	private, public, err := NewKey()
	must(t, err)
	key, err := PrivateKey(private)
	must(t, err)
	pub, err := PublicKey(public)
	must(t, err)
	if !pub.Equal(key.Public()) {
		t.Error("not a pair")
	}
	if _, err := PublicKey(private); err == nil {
		t.Error("a private key taken for a public one")
	}
	if _, err := PrivateKey(public); err == nil {
		t.Error("a public key taken for a private one")
	}
	for _, bad := range []string{"", "x", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := PublicKey([]byte(bad)); err == nil {
			t.Errorf("%q: accepted", bad)
		}
	}
}

// A list of inputs is believed only if it has the digest of the report.
func TestFromReport(t *testing.T) {
	layers := []inputs.Layer{{Guest: "/", Observations: []image.Observation{
		{Path: "/a", Kind: image.Read, Digest: "sha256:11"}, {Path: "/b", Kind: image.Missing},
	}}}
	var b bytes.Buffer
	must(t, inputs.Write(&b, layers))
	lines, err := inputs.Parse(&b)
	must(t, err)
	r := &report.Report{
		Image:   report.Image{Ref: "host", Guest: "/", Digest: image.ObservedDigest(layers[0].Observations)},
		Outputs: []report.Output{{Path: "/o", Type: "file", Digest: "sha256:aa"}},
	}
	s, err := FromReport(r, lines, Options{})
	must(t, err)
	deps := s.Predicate.BuildDefinition.ResolvedDependencies
	if len(deps) != 2 || deps[0].Digest[readDigest] == "" || deps[1].Name != "/a" || deps[1].Digest["sha256"] != "11" || s.Subject[0].Digest["sha256"] != "aa" {
		t.Errorf("%+v", s)
	}
	lines[0].Read = "sha256:12"
	if _, err := FromReport(r, lines, Options{}); err == nil {
		t.Error("another list of inputs accepted")
	}
	r.Exit.Status = 1
	if _, err := FromReport(r, nil, Options{}); err == nil {
		t.Error("a failed run attested")
	}
}

func TestFromLock(t *testing.T) {
	b := &lock.Build{
		Settings: []lock.Setting{{Name: "seed", Value: "7"}}, Image: lock.Source{Guest: "/", Digest: "sha256:01"},
		Outputs: []report.Output{{Path: "/o", Type: "file", Digest: "sha256:aa"}},
	}
	s, err := FromLock("x", b, Options{Builder: "https://example.com/b"})
	must(t, err)
	d := s.Predicate.BuildDefinition
	if d.ResolvedDependencies[0].Digest[treeDigest] != "01" || s.Predicate.RunDetails.Builder.ID != "https://example.com/b" || d.ExternalParameters["build"] != "x" {
		t.Errorf("%+v", s)
	}
	b.Inputs = []lock.Source{{Guest: "/src", Digest: "sha256:02", Read: []string{"read /a sha256:11"}}}
	if _, err := FromLock("x", b, Options{}); err == nil {
		t.Error("an edited list accepted")
	}
	b.Inputs, b.Outputs = nil, nil
	s, err = FromLock("x", b, Options{})
	must(t, err)
	if _, err := s.Marshal(); err == nil {
		t.Error("a statement about nothing")
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`)
	public := testKey(f).Public().(ed25519.PublicKey)
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ReadEnvelopes(strings.NewReader(s))
		if err != nil {
			return
		}
		for _, e := range list {
			if _, err := e.Open(public); err == nil {
				t.Errorf("forged: %s", s)
			}
		}
	})
}
