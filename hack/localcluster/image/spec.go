package image

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// Spec says what is in an image.
type Spec struct {
	Name       string   `json:"name"` // with a tag: datastack/manager:dev
	Entrypoint []string `json:"entrypoint"`
	User       string   `json:"user"` // default 65532, a user without rights
	WorkingDir string   `json:"workingDir"`
	Env        []string `json:"env"` // NAME=VALUE
	Files      []Copy   `json:"files"`
	// PythonEnvironments are virtual environments; their interpreter and its standard library come along.
	PythonEnvironments []Copy `json:"pythonEnvironments"`
	// Libraries adds the shared libraries that the files need.
	Libraries bool `json:"libraries"`
	// Certificates adds the machine's root certificates, and TimeZones its time-zone database.
	Certificates bool `json:"certificates"`
	TimeZones    bool `json:"timeZones"`
}

// Copy is a file or folder of the machine and its path in the image.
type Copy struct {
	From string `json:"from"` // relative to the repository's root
	To   string `json:"to"`   // absolute
}

// ReadSpecs reads a file with a list of images.
func ReadSpecs(path string) ([]Spec, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the list of images: %w", err)
	}
	var list struct {
		Images []Spec `json:"images"`
	}
	if err := yaml.UnmarshalStrict(b, &list); err != nil {
		return nil, fmt.Errorf("the list of images %s: %w", path, err)
	}
	for i := range list.Images {
		s := &list.Images[i]
		if s.Name == "" || len(s.Entrypoint) == 0 {
			return nil, fmt.Errorf("the list of images %s: entry %d needs a name and an entrypoint", path, i+1)
		}
		if s.User == "" {
			s.User = "65532:65532"
		}
	}
	return list.Images, nil
}
