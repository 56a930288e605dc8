package pki

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// WriteKubeconfig writes a kubeconfig whose only user is the certificate NAME in the folder, embedded, so that the file
// can be copied anywhere.
func WriteKubeconfig(path, dir, name, server string) error {
	read := func(file string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil
		}
		return b
	}
	ca, cert, key := read("ca.crt"), read(name+".crt"), read(name+".key")
	if ca == nil || cert == nil || key == nil {
		return fmt.Errorf("kubeconfig for %s: ca.crt, %s.crt or %s.key is missing in %s; run `localcluster down` and `up` again", name, name, name, dir)
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["localcluster"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	config.Contexts["localcluster"] = &clientcmdapi.Context{Cluster: "localcluster", AuthInfo: name}
	config.CurrentContext = "localcluster"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}
