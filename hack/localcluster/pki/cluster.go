package pki

import (
	"os"
	"path/filepath"
)

// Issued reports whether the folder holds a whole set: the last file that IssueAll writes is there.
func Issued(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "front-proxy", "client.key"))
	return err == nil
}

// Names are the addresses that the certificates of the servers cover.
type Names struct {
	Node           string
	NodeAddress    string
	ServiceAddress string
	ClusterDomain  string
}

// IssueAll makes the authority and every certificate of a cluster.
func IssueAll(dir string, n Names) error {
	ca, err := Create(dir, "localcluster")
	if err != nil {
		return err
	}
	certificates := map[string]Identity{
		"apiserver": {CommonName: "kube-apiserver", Hosts: []string{
			"127.0.0.1", "localhost", n.NodeAddress, n.ServiceAddress, "kubernetes", "kubernetes.default",
			"kubernetes.default.svc", "kubernetes.default.svc." + n.ClusterDomain}},
		"etcd":                 {CommonName: "etcd", Hosts: []string{"127.0.0.1", "localhost"}},
		"etcd-client":          {CommonName: "etcd-client"},
		"kubelet-serving":      {CommonName: n.Node, Hosts: []string{n.Node, n.NodeAddress}},
		"apiserver-to-kubelet": {CommonName: "kube-apiserver-kubelet-client", Organizations: []string{"localcluster:kubelet-admins"}},
		"admin":                {CommonName: "localcluster-admin", Organizations: []string{"system:masters"}},
		"kubelet":              {CommonName: "system:node:" + n.Node, Organizations: []string{"system:nodes"}},
		"controller-manager":   {CommonName: "system:kube-controller-manager"},
		"scheduler":            {CommonName: "system:kube-scheduler"},
		"proxy":                {CommonName: "system:kube-proxy"},
		"volumes":              {CommonName: "localcluster:volumes"},
	}
	for name, id := range certificates {
		if err := ca.Issue(name, id); err != nil {
			return err
		}
	}
	if err := ca.KeyPair("service-accounts"); err != nil {
		return err
	}
	// Aggregated API servers trust this authority only for headers set by kube-apiserver; it must not be the clients' own.
	proxyDir := filepath.Join(dir, "front-proxy")
	if err := os.MkdirAll(proxyDir, 0o700); err != nil {
		return err
	}
	front, err := Create(proxyDir, "localcluster-front-proxy")
	if err != nil {
		return err
	}
	return front.Issue("client", Identity{CommonName: "front-proxy-client"})
}
