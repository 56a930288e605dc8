package addons

import (
	"strings"
	"testing"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
)

func TestManifestAgreesWithLayout(t *testing.T) {
	for _, want := range []string{
		"clusterIP: " + layout.DNSAddress, "image: " + layout.CoreDNSImage, layout.ClusterDomain + ":53",
		"metadata:\n  name: " + layout.StorageClass + "\n",
	} {
		if !strings.Contains(Manifest, want) {
			t.Errorf("the manifest lacks %q, which package layout promises", want)
		}
	}
}
