// Command apidocs writes docs/kinds/<kind>.md for each CRD: what the kind is for, examples from config/samples, every
// field with what the API's comments say of it, and its conditions. It runs from the repository's root.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

const (
	crdDir     = "config/crd/bases"
	samplesDir = "config/samples"
	outDir     = "docs/kinds"
	conditions = "api/v1alpha1/conditions.go"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "apidocs:", err)
		os.Exit(1)
	}
}

func run() error {
	paths, err := filepath.Glob(filepath.Join(crdDir, "*.yaml"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("no CRD in %s: run it from the repository's root, after `make manifests`", crdDir)
	}
	known, err := readConditions(conditions)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return err
	}
	for _, path := range paths {
		if err := writePage(path, known); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func writePage(path string, known []condition) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var crd apiextensions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		return err
	}
	name := strings.ToLower(crd.Spec.Names.Kind) // as the sample and the page are called
	sample, err := os.ReadFile(filepath.Join(samplesDir, name+".yaml"))
	if err != nil {
		return fmt.Errorf("every kind needs a sample: %w", err)
	}
	page := renderPage(crd, string(sample), known)
	return os.WriteFile(filepath.Join(outDir, name+".md"), []byte(page), 0o644)
}
