package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"ingot.dev/ingot"
)

// Pull finds a Linux image that a reference names, such as debian:12, in its
// registry, with the credentials that the user of this process has logged in
// with. Layers are read when they are needed; the reference that it returns
// has the digest. CodeNotFound when the registry has no such image.
func Pull(ctx context.Context, text, arch string) (exact string, image v1.Image, err error) {
	ref, err := name.ParseReference(text)
	if err != nil {
		return "", nil, ingot.Errorf(ingot.CodeInvalid, "reading the reference of a container image: %w", err)
	}
	image, err = remote.Image(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: arch}))
	if err != nil {
		return "", nil, explain(ref, err)
	}
	digest, err := image.Digest()
	if err != nil {
		return "", nil, fmt.Errorf("reading the digest of %s: %w", text, err)
	}
	return ref.Context().Digest(digest.String()).Name(), image, nil
}

func explain(ref name.Reference, err error) error {
	var refused *transport.Error
	if errors.As(err, &refused) {
		switch refused.StatusCode {
		case http.StatusNotFound:
			return ingot.Errorf(ingot.CodeNotFound, "the registry %s has no image %s", ref.Context().RegistryStr(), ref.Name())
		case http.StatusUnauthorized, http.StatusForbidden:
			return ingot.Errorf(ingot.CodeRequest, "the registry %s does not give %s to this server; run `docker login %s` as its user, or make the image public: %w",
				ref.Context().RegistryStr(), ref.Name(), ref.Context().RegistryStr(), err)
		}
	}
	return fmt.Errorf("asking the registry %s for %s: %w", ref.Context().RegistryStr(), ref.Name(), err)
}
