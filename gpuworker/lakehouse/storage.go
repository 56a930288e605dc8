package lakehouse

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	_ "github.com/apache/iceberg-go/io/gocloud/s3" // registers s3://
)

// s3ConnectTimeout bounds the dialling of an S3 endpoint, in seconds.
const s3ConnectTimeout = "10"

// storageProperties gives the file IO properties for a storage, and the URI of its folder.
func storageProperties(s v1alpha1.Storage, m Mounts) (iceberg.Properties, string, error) {
	switch {
	case s.Type == v1alpha1.StorageS3 && s.S3 != nil:
		return s3Properties(*s.S3, m)
	case s.Type == v1alpha1.StorageVolume && s.Volume != nil:
		dir, err := m.Volume(s.Volume.ClaimName, s.Volume.Path)
		return iceberg.Properties{}, "file://" + dir, err
	case s.Type == v1alpha1.StorageHostPath && s.HostPath != nil:
		return iceberg.Properties{}, "file://" + strings.TrimSuffix(s.HostPath.Path, "/"), nil
	}
	return nil, "", refuse(ReasonUnsupportedStorage, "", "storage of type %q is not supported for tables yet (or its member is not set); use s3, volume or hostPath", s.Type)
}

func s3Properties(s v1alpha1.S3Storage, m Mounts) (iceberg.Properties, string, error) {
	props := iceberg.Properties{iceio.S3Region: "us-east-1", iceio.S3ConnectTimeout: s3ConnectTimeout}
	if s.Region != "" {
		props[iceio.S3Region] = s.Region
	}
	if s.Endpoint != "" {
		props[iceio.S3EndpointURL] = strings.TrimSuffix(s.Endpoint, "/")
	}
	if s.PathStyle != nil {
		props[iceio.S3ForceVirtualAddressing] = strconv.FormatBool(!*s.PathStyle)
	}
	if s.CredentialsSecretRef != nil {
		var err error
		for key, prop := range map[string]string{"accessKeyID": iceio.S3AccessKeyID, "secretAccessKey": iceio.S3SecretAccessKey} {
			if props[prop], err = m.Secret(s.CredentialsSecretRef.Name, key); err != nil {
				return nil, "", err
			}
		}
		token, err := m.optionalSecret(s.CredentialsSecretRef.Name, "sessionToken")
		if err != nil {
			return nil, "", err
		}
		if token != "" {
			props[iceio.S3SessionToken] = token
		}
	}
	uri := "s3://" + s.Bucket
	if prefix := strings.Trim(s.Prefix, "/"); prefix != "" {
		uri += "/" + prefix
	}
	return props, uri, nil
}

// warehouseFor decides where new tables lie: the catalog's warehouse when it lies in the storage, the storage's folder
// when the catalog names none or the storage is a volume (whose path only the pod knows).
func warehouseFor(declared, storageURI string, s v1alpha1.Storage) (string, error) {
	declared = strings.TrimSuffix(declared, "/")
	if declared == "" || s.Type == v1alpha1.StorageVolume && strings.HasPrefix(declared, "file:") {
		return storageURI, nil
	}
	want, err := url.Parse(declared)
	if err != nil {
		return "", refuse(ReasonInvalidConfiguration, "", "warehouse %q is not a URI: %v", declared, err)
	}
	have, err := url.Parse(storageURI)
	if err != nil {
		return "", refuse(ReasonInvalidConfiguration, "", "storage %q is not a URI: %v", storageURI, err)
	}
	sameScheme := strings.TrimSuffix(want.Scheme, "a") == strings.TrimSuffix(have.Scheme, "a")
	inside := have.Scheme != "file" || want.Path == have.Path || strings.HasPrefix(want.Path, have.Path+"/")
	if !sameScheme || want.Host != have.Host || !inside {
		return "", refuse(ReasonInvalidConfiguration, "", "warehouse %s is not in the storage %s; the credentials are the storage's, so give a warehouse inside it", declared, storageURI)
	}
	return declared, nil
}
