// Package components holds the command line and configuration of every process that makes a cluster.
package components

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/supervise"
)

var inside = layout.Inside()

func pkiFile(name string) string    { return filepath.Join(inside.PKI(), name) }
func configFile(name string) string { return filepath.Join(inside.Config(), name) }

// kubernetes is a component of the one Kubernetes binary.
func kubernetes(name string, wait func(context.Context) error, flags ...string) supervise.Component {
	return supervise.Component{
		Name: name, Path: filepath.Join(layout.Binaries, "kubernetes"), Args: append([]string{name}, flags...),
		Log: inside.Log(name), WaitFor: wait,
	}
}

func etcd() supervise.Component {
	url := fmt.Sprintf("https://127.0.0.1:%d", layout.EtcdPort)
	peer := fmt.Sprintf("http://127.0.0.1:%d", layout.EtcdPeerPort)
	return supervise.Component{
		Name: "etcd", Path: filepath.Join(layout.Binaries, "etcd"), Log: inside.Log("etcd"),
		Args: []string{
			"etcd", "--name=localcluster", "--data-dir=" + inside.Etcd(), "--log-level=warn",
			"--listen-client-urls=" + url, "--advertise-client-urls=" + url,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=localcluster=" + peer,
			"--cert-file=" + pkiFile("etcd.crt"), "--key-file=" + pkiFile("etcd.key"),
			"--client-cert-auth", "--trusted-ca-file=" + pkiFile("ca.crt"),
		},
	}
}

func apiServer() supervise.Component {
	return kubernetes("kube-apiserver", nil,
		"--bind-address=0.0.0.0", "--advertise-address="+layout.NodeAddress, fmt.Sprintf("--secure-port=%d", layout.APIServerPort),
		fmt.Sprintf("--etcd-servers=https://127.0.0.1:%d", layout.EtcdPort),
		"--etcd-cafile="+pkiFile("ca.crt"), "--etcd-certfile="+pkiFile("etcd-client.crt"), "--etcd-keyfile="+pkiFile("etcd-client.key"),
		"--tls-cert-file="+pkiFile("apiserver.crt"), "--tls-private-key-file="+pkiFile("apiserver.key"),
		"--client-ca-file="+pkiFile("ca.crt"), "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
		"--service-cluster-ip-range="+layout.ServiceSubnet,
		"--service-account-issuer=https://kubernetes.default.svc."+layout.ClusterDomain,
		"--service-account-key-file="+pkiFile("service-accounts.pub"), "--service-account-signing-key-file="+pkiFile("service-accounts.key"),
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority="+pkiFile("ca.crt"),
		"--kubelet-client-certificate="+pkiFile("apiserver-to-kubelet.crt"), "--kubelet-client-key="+pkiFile("apiserver-to-kubelet.key"),
		"--requestheader-client-ca-file="+pkiFile("front-proxy/ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--requestheader-group-headers=X-Remote-Group", "--requestheader-username-headers=X-Remote-User",
		"--proxy-client-cert-file="+pkiFile("front-proxy/client.crt"), "--proxy-client-key-file="+pkiFile("front-proxy/client.key"),
		"--enable-aggregator-routing", "--profiling=false",
		"--allow-privileged") // pod security says who may, namespace by namespace
}

func controllerManager() supervise.Component {
	return kubernetes("kube-controller-manager", apiServerAnswers,
		"--kubeconfig="+configFile("controller-manager.kubeconfig"), "--authentication-kubeconfig="+configFile("controller-manager.kubeconfig"),
		"--authorization-kubeconfig="+configFile("controller-manager.kubeconfig"), "--bind-address=127.0.0.1",
		"--use-service-account-credentials", "--root-ca-file="+pkiFile("ca.crt"),
		"--service-account-private-key-file="+pkiFile("service-accounts.key"),
		"--cluster-signing-cert-file="+pkiFile("ca.crt"), "--cluster-signing-key-file="+pkiFile("ca.key"),
		// One controller manager, started again within a second: an election would only delay that.
		"--leader-elect=false", "--profiling=false")
}

func scheduler() supervise.Component {
	return kubernetes("kube-scheduler", apiServerAnswers,
		"--kubeconfig="+configFile("scheduler.kubeconfig"), "--authentication-kubeconfig="+configFile("scheduler.kubeconfig"),
		"--authorization-kubeconfig="+configFile("scheduler.kubeconfig"), "--bind-address=127.0.0.1",
		"--leader-elect=false", "--profiling=false")
}

// apiServerAnswers returns when the API server is ready.
func apiServerAnswers(ctx context.Context) error {
	return poll(ctx, func(ctx context.Context) error {
		client, err := adminClient()
		if err != nil {
			return err
		}
		defer client.CloseIdleConnections()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/readyz", layout.APIServerPort), nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("the API server's /readyz answers %s", response.Status)
		}
		return nil
	})
}

func adminClient() (*http.Client, error) {
	ca, err := os.ReadFile(pkiFile("ca.crt"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	cert, err := tls.LoadX509KeyPair(pkiFile("admin.crt"), pkiFile("admin.key"))
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13,
	}}}, nil
}

// poll calls probe until it succeeds; only the end of the context makes it fail.
func poll(ctx context.Context, probe func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := probe(attempt)
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(150 * time.Millisecond):
		}
	}
}
