package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"dettrace/internal/hint"
)

// Pulled is an image of a registry.
type Pulled struct {
	Image
	Resolved string // the reference with the digest that it stands for now
}

// Pull asks a registry for an image. A reference with a digest gets that image
// or nothing; of an index the image for linux/amd64 is taken. Credentials are
// those of docker's and podman's configuration.
func Pull(ctx context.Context, ref string) (*Pulled, error) {
	r, err := name.ParseReference(ref)
	if err != nil {
		return nil, hint.With(fmt.Errorf("%.300q: not a reference of an image", ref), "for example debian:trixie, or ghcr.io/owner/name@sha256:...")
	}
	platform := v1.Platform{OS: "linux", Architecture: "amd64"}
	d, err := remote.Get(r, remote.WithContext(ctx), remote.WithPlatform(platform),
		remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(plainLoopback{http.DefaultTransport}))
	if err != nil {
		return nil, explain(ref, err)
	}
	image, err := d.Image()
	if err != nil {
		return nil, explain(ref, err)
	}
	p := &Pulled{Resolved: r.Context().Digest(d.Digest.String()).Name(), Image: Image{Ref: ref}}
	digest, err := image.Digest()
	if err != nil {
		return nil, explain(ref, err)
	}
	p.Digest = digest.String()
	layers, err := image.Layers()
	if err != nil {
		return nil, explain(ref, err)
	}
	for _, l := range layers {
		h, err := l.Digest()
		if err != nil {
			return nil, explain(ref, err)
		}
		if err := onlySHA256(h); err != nil {
			return nil, err
		}
		size, err := l.Size()
		if err != nil {
			return nil, explain(ref, err)
		}
		p.Layers = append(p.Layers, Layer{Name: short(h), Size: size, Digest: h.String(), open: func() (io.ReadCloser, error) {
			b, err := l.Compressed()
			if err != nil {
				return nil, explain(ref, err)
			}
			return b, nil
		}})
	}
	config, err := image.RawConfigFile()
	if err != nil {
		return nil, explain(ref, err)
	}
	return p, p.setConfig(config)
}

// explain adds what to do about the errors that people meet.
func explain(ref string, err error) error {
	var t *transport.Error
	advice := ""
	switch {
	case errors.As(err, &t) && t.StatusCode == http.StatusNotFound:
		advice = "look at the name and the tag"
	case errors.As(err, &t) && (t.StatusCode == http.StatusUnauthorized || t.StatusCode == http.StatusForbidden):
		advice = "it does not exist, or needs a login: docker login, podman login or skopeo login store one"
	case errors.Is(err, errPlain):
		advice = "plain http is for registries on this machine's loopback only"
	}
	return hint.With(fmt.Errorf("pull %s: %w", ref, err), advice)
}

var errPlain = errors.New("plain http to another machine is refused")

// plainLoopback refuses requests without TLS that would leave the machine,
// also those that a registry redirects to.
type plainLoopback struct{ http.RoundTripper }

func (t plainLoopback) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !loopback(r.URL.Hostname()) {
		return nil, fmt.Errorf("%s: %w", r.URL.Host, errPlain)
	}
	return t.RoundTripper.RoundTrip(r)
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
