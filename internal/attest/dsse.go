package attest

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// PayloadType is that of in-toto statements.
const PayloadType = "application/vnd.in-toto+json"

// ErrNotVerified is wrapped by all errors that mean: do not trust this.
var ErrNotVerified = errors.New("not verified")

// Envelope is a DSSE envelope.
type Envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []Signature `json:"signatures"`
}

// Signature is one of an envelope. KeyID is a hint and not protected.
type Signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// pae is what is signed: DSSE's pre-authentication encoding, which binds the
// type to the payload.
func pae(payloadType string, payload []byte) []byte {
	b := []byte("DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " ")
	return append(b, payload...)
}

// Sign puts payload, an in-toto statement, into an envelope.
func Sign(payload []byte, key ed25519.PrivateKey) (Envelope, error) {
	public, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Envelope{}, errors.New("not an ed25519 key")
	}
	id, err := KeyID(public)
	if err != nil {
		return Envelope{}, err
	}
	sig := ed25519.Sign(key, pae(PayloadType, payload))
	return Envelope{
		PayloadType: PayloadType, Payload: base64.StdEncoding.EncodeToString(payload),
		Signatures: []Signature{{KeyID: id, Sig: base64.StdEncoding.EncodeToString(sig)}},
	}, nil
}

// Open verifies an envelope: one of its signatures must be by key. It gives the
// payload, which nobody should look at before.
func (e Envelope) Open(key ed25519.PublicKey) ([]byte, error) {
	if e.PayloadType != PayloadType {
		return nil, fmt.Errorf("%w: the envelope holds %q and no in-toto statement", ErrNotVerified, e.PayloadType)
	}
	payload, err := decode(e.Payload)
	if err != nil {
		return nil, fmt.Errorf("%w: payload: %w", ErrNotVerified, err)
	}
	signed := pae(e.PayloadType, payload)
	for _, s := range e.Signatures {
		sig, err := decode(s.Sig)
		if err == nil && ed25519.Verify(key, signed, sig) {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("%w: no signature by this key", ErrNotVerified)
}

// decode takes both alphabets, as DSSE demands of verifiers.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "-_") {
		return base64.URLEncoding.Strict().DecodeString(s)
	}
	return base64.StdEncoding.Strict().DecodeString(s)
}

// ReadEnvelopes reads envelopes, one after the other (JSON lines).
func ReadEnvelopes(r io.Reader) ([]Envelope, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<30))
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var out []Envelope
	for {
		var e Envelope
		err := dec.Decode(&e)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: not a DSSE envelope: %w", ErrNotVerified, err)
		}
		out = append(out, e)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no envelope", ErrNotVerified)
	}
	return out, nil
}
