// Package addons holds the objects that every cluster starts with: names, the default storage class, and the rights of
// the components that the API server does not know of itself.
package addons

import _ "embed"

// Manifest is applied when the API server answers. Its addresses and image names repeat those of package layout, which
// a test compares.
//
//go:embed addons.yaml
var Manifest string
