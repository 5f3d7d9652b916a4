package attest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"dettrace/internal/hint"
)

// NewKey makes a pair of keys, as PEM: PKCS #8 and PKIX, which openssl(1) and
// others read. This is the one place where real randomness is wanted.
func NewKey() (private, public []byte, err error) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	p, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	q, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: p}), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: q}), nil
}

const keyAdvice = "dettrace attest keygen makes a pair, openssl genpkey -algorithm ed25519 too"

// PrivateKey reads a private key.
func PrivateKey(text []byte) (ed25519.PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, hint.With(errors.New("no private key in PEM (PKCS #8)"), keyAdvice)
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if key, ok := k.(ed25519.PrivateKey); ok {
		return key, nil
	}
	return nil, hint.With(fmt.Errorf("a key of type %T, not ed25519", k), keyAdvice)
}

// PublicKey reads a public key.
func PublicKey(text []byte) (ed25519.PublicKey, error) {
	block, _ := pem.Decode(text)
	if block != nil && block.Type == "PRIVATE KEY" {
		return nil, hint.With(errors.New("a private key"), "verifying needs the public one, and nobody else should have the private one")
	}
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, hint.With(errors.New("no public key in PEM (PKIX)"), keyAdvice)
	}
	k, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	if key, ok := k.(ed25519.PublicKey); ok {
		return key, nil
	}
	return nil, hint.With(fmt.Errorf("a key of type %T, not ed25519", k), keyAdvice)
}

// KeyID is the SHA-256 of a public key in PKIX, as hex.
func KeyID(key ed25519.PublicKey) (string, error) {
	b, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
