// Package pki issues a local cluster's certificates and writes the kubeconfig files that use them.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// A year: a development cluster is made anew far more often.
const lifetime = 365 * 24 * time.Hour

// Identity is what a certificate says about its holder.
type Identity struct {
	CommonName    string
	Organizations []string // for a client: its Kubernetes groups
	Hosts         []string // for a server: its names and IP addresses; a certificate without hosts is a client's only
}

// Authority signs certificates into a folder: NAME.crt and NAME.key.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  crypto.Signer
}

// Create makes a new authority, ca.crt and ca.key, in the folder.
func Create(dir, name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	template, err := certificate(Identity{CommonName: name})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = nil
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the authority's certificate back: %w", err)
	}
	return &Authority{dir: dir, cert: cert, key: key}, write(dir, "ca", der, key)
}

// Issue writes a certificate and its key as NAME.crt and NAME.key.
func (a *Authority) Issue(name string, id Identity) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key of %s: %w", name, err)
	}
	template, err := certificate(id)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return fmt.Errorf("sign the certificate of %s: %w", name, err)
	}
	return write(a.dir, name, der, key)
}

// KeyPair writes a private key NAME.key and its public key NAME.pub, for service-account tokens.
func (a *Authority) KeyPair(name string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("make the key pair %s: %w", name, err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("encode the public key %s: %w", name, err)
	}
	return errors.Join(
		writeKey(filepath.Join(a.dir, name+".key"), key),
		writePEM(filepath.Join(a.dir, name+".pub"), "PUBLIC KEY", public, 0o644))
}

func certificate(id Identity) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	now := time.Now()
	c := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: id.CommonName, Organization: id.Organizations},
		NotBefore:    now.Add(-5 * time.Minute), // clocks may step
		NotAfter:     now.Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, host := range id.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, host)
		}
	}
	if len(id.Hosts) > 0 {
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return c, nil
}

func write(dir, name string, der []byte, key *ecdsa.PrivateKey) error {
	return errors.Join(
		writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der, 0o644),
		writeKey(filepath.Join(dir, name+".key"), key))
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	// SEC 1: the only encoding of elliptic keys that the API server's service-account signer reads.
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("encode the key %s: %w", path, err)
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return fmt.Errorf("write a certificate or key: %w", err)
	}
	return nil
}
