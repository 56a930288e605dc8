package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestIssuedCertificatesVerify(t *testing.T) {
	dir := t.TempDir()
	if Issued(dir) {
		t.Fatal("an empty folder counts as issued")
	}
	if err := IssueAll(dir, Names{Node: "n", NodeAddress: "10.9.8.7", ServiceAddress: "10.0.0.1", ClusterDomain: "cluster.local"}); err != nil {
		t.Fatal(err)
	}
	if !Issued(dir) {
		t.Fatal("a whole set does not count as issued")
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	for _, c := range []struct {
		name, host string
		usage      x509.ExtKeyUsage
		valid      bool
	}{
		{"apiserver", "10.9.8.7", x509.ExtKeyUsageServerAuth, true},
		{"apiserver", "kubernetes.default.svc.cluster.local", x509.ExtKeyUsageServerAuth, true},
		{"apiserver", "example.com", x509.ExtKeyUsageServerAuth, false},
		{"admin", "", x509.ExtKeyUsageClientAuth, true},
		{"admin", "", x509.ExtKeyUsageServerAuth, false},
		{"front-proxy/client", "", x509.ExtKeyUsageClientAuth, false}, // another authority's
	} {
		pair, err := tls.LoadX509KeyPair(filepath.Join(dir, c.name+".crt"), filepath.Join(dir, c.name+".key"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: c.host, KeyUsages: []x509.ExtKeyUsage{c.usage}})
		if (err == nil) != c.valid {
			t.Errorf("%s for %q: %v, expected valid: %v", c.name, c.host, err, c.valid)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the authority's key: %v, %v; expected mode 0600", info.Mode(), err)
	}
}

func TestKubeconfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "kubeconfig")
	if err := WriteKubeconfig(path, dir, "admin", "https://127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "admin.crt") {
		t.Errorf("without certificates: %v, expected an error that names them", err)
	}
	if err := IssueAll(dir, Names{Node: "n", NodeAddress: "10.9.8.7", ServiceAddress: "10.0.0.1", ClusterDomain: "c"}); err != nil {
		t.Fatal(err)
	}
	if err := WriteKubeconfig(path, dir, "admin", "https://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil || config.Host != "https://127.0.0.1:1" || len(config.KeyData) == 0 {
		t.Errorf("read back host %q, %v", config.Host, err)
	}
}
