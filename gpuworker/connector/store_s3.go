package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/gpuworker/fail"
	"github.com/amdgpu-framework/datastack/gpuworker/lakehouse"
)

const (
	s3ConnectTimeout  = 10 * time.Second
	s3ResponseTimeout = 2 * time.Minute
	// s3StallTimeout ends a download in which no byte has come for so long.
	s3StallTimeout = time.Minute
	// s3Tries bounds the tries of a download: the client itself retries only until the first byte.
	s3Tries = 4
	// identityTimeout bounds the look for the pod's own identity.
	identityTimeout = 5 * time.Second
)

// s3Store is a bucket with a prefix.
type s3Store struct {
	client *s3.Client
	bucket string
	prefix string
}

func openS3Store(ctx context.Context, spec v1alpha1.S3Storage, mounts lakehouse.Mounts) (Store, error) {
	region := spec.Region
	if region == "" {
		region = "us-east-1"
	}
	identity, err := s3Credentials(ctx, spec, mounts)
	if err != nil {
		return nil, err
	}
	client := s3.New(s3.Options{
		Region: region, Credentials: identity, RetryMaxAttempts: 5, HTTPClient: s3HTTPClient(),
		// Stores other than Amazon's do not all know the newer checksums.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	}, func(o *s3.Options) {
		o.UsePathStyle = spec.Endpoint != ""
		if spec.PathStyle != nil {
			o.UsePathStyle = *spec.PathStyle
		}
		if spec.Endpoint != "" {
			o.BaseEndpoint = aws.String(strings.TrimSuffix(spec.Endpoint, "/"))
		}
	})
	s := &s3Store{client: client, bucket: spec.Bucket}
	if prefix := strings.Trim(spec.Prefix, "/"); prefix != "" {
		s.prefix = prefix + "/"
	}
	return s, nil
}

func s3HTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = s3ConnectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = s3ConnectTimeout
			t.ResponseHeaderTimeout = s3ResponseTimeout
		})
}

func s3Credentials(ctx context.Context, spec v1alpha1.S3Storage, mounts lakehouse.Mounts) (aws.CredentialsProvider, error) {
	if spec.CredentialsSecretRef == nil {
		ctx, cancel := context.WithTimeout(ctx, identityTimeout)
		defer cancel()
		own, err := config.LoadDefaultConfig(ctx)
		if err != nil {
			return nil, fmt.Errorf("the pod's own identity for s3://%s: %w", spec.Bucket, err)
		}
		if _, err := own.Credentials.Retrieve(ctx); err != nil {
			return aws.AnonymousCredentials{}, nil // no identity: public buckets can still be read
		}
		return own.Credentials, nil
	}
	secret := spec.CredentialsSecretRef.Name
	id, err := mounts.Secret(secret, "accessKeyID")
	if err != nil {
		return nil, lakeError(err)
	}
	key, err := mounts.Secret(secret, "secretAccessKey")
	if err != nil {
		return nil, lakeError(err)
	}
	var token string
	if _, err := os.Stat(filepath.Join(string(mounts), "secrets", secret, "sessionToken")); err == nil {
		if token, err = mounts.Secret(secret, "sessionToken"); err != nil {
			return nil, lakeError(err)
		}
	}
	return credentials.NewStaticCredentialsProvider(id, key, token), nil
}

func (s *s3Store) List(ctx context.Context, prefix string) ([]Object, error) {
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(s.prefix + prefix)})
	var out []Object // keys come sorted
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.explain("list", prefix, err)
		}
		for _, o := range page.Contents {
			key := strings.TrimPrefix(aws.ToString(o.Key), s.prefix)
			if key == "" || strings.HasSuffix(key, "/") {
				continue // the mark of an empty folder
			}
			out = append(out, Object{Key: key, Size: aws.ToInt64(o.Size), Version: strings.Trim(aws.ToString(o.ETag), `"`)})
		}
	}
	return out, nil
}

func (s *s3Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s3ResponseTimeout)
	defer cancel()
	answer, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)})
	if err != nil {
		return nil, s.explain("read", key, err)
	}
	defer answer.Body.Close()
	return readLimited(answer.Body, s.URI(key), limit)
}

func (s *s3Store) Fetch(ctx context.Context, key, version, target string) (err error) {
	for try := 1; ; try++ {
		partial, err := s.fetchOnce(ctx, key, version, target)
		if err == nil || !partial || try == s3Tries || ctx.Err() != nil {
			return err
		}
	}
}

// fetchOnce says, with an error, whether the download broke off in the middle.
func (s *s3Store) fetchOnce(ctx context.Context, key, version, target string) (partial bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	input := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)}
	if version != "" {
		input.IfMatch = aws.String(`"` + version + `"`)
	}
	answer, err := s.client.GetObject(ctx, input)
	if code := errorCode(err); code == "PreconditionFailed" {
		return false, changed(s.URI(key), version, "another version")
	}
	if err != nil {
		return false, s.explain("read", key, err)
	}
	defer answer.Body.Close()
	if found := strings.Trim(aws.ToString(answer.ETag), `"`); version != "" && found != version {
		return false, changed(s.URI(key), version, found) // a store that ignores If-Match
	}
	out, err := os.Create(target)
	if err != nil {
		return false, err
	}
	stall := time.AfterFunc(s3StallTimeout, func() { cancel(fmt.Errorf("no byte came for %s", s3StallTimeout)) })
	n, err := io.Copy(out, stallReader{answer.Body, stall})
	stall.Stop()
	if err != nil && context.Cause(ctx) != nil {
		err = context.Cause(ctx)
	}
	if size := aws.ToInt64(answer.ContentLength); err == nil && n != size {
		err = fmt.Errorf("expected %d bytes, found %d", size, n)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return true, fmt.Errorf("download %s: %w", s.URI(key), err)
	}
	return false, nil
}

// stallReader puts off the end of a download with each read.
type stallReader struct {
	io.Reader
	timer *time.Timer
}

func (r stallReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.timer.Reset(s3StallTimeout)
	return n, err
}

func (s *s3Store) Put(ctx context.Context, key string, data []byte) error {
	return s.put(ctx, key, bytes.NewReader(data), int64(len(data)))
}

func (s *s3Store) Upload(ctx context.Context, key, source string) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return s.put(ctx, key, f, info.Size())
}

func (s *s3Store) put(ctx context.Context, key string, body io.ReadSeeker, size int64) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key), Body: body, ContentLength: &size})
	if err != nil {
		return s.explain("write", key, err)
	}
	return nil
}

func (s *s3Store) Delete(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + key)})
	if err != nil && errorCode(err) != "NoSuchKey" {
		return s.explain("delete", key, err)
	}
	return nil
}

func (s *s3Store) move(ctx context.Context, from, to string) error {
	// A plus sign would be read as a blank.
	source := s.bucket + "/" + strings.ReplaceAll((&url.URL{Path: s.prefix + from}).EscapedPath(), "+", "%2B")
	_, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &s.bucket, Key: aws.String(s.prefix + to), CopySource: &source})
	if err != nil {
		return s.explain("copy", from, err)
	}
	return s.Delete(ctx, from)
}

func (s *s3Store) URI(key string) string { return "s3://" + s.bucket + "/" + s.prefix + key }

func errorCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// explain tells what cannot get better by trying again from what can.
func (s *s3Store) explain(verb, key string, err error) error {
	switch code := errorCode(err); code {
	case "NoSuchKey", "NotFound":
		return fmt.Errorf("%s: %w", s.URI(key), fs.ErrNotExist)
	case "NoSuchBucket":
		return fail.NoInput("BucketNotFound", "bucket %s does not exist at the endpoint; create it, or correct storage.s3.bucket", s.bucket)
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden":
		return fail.Usage("AccessDenied", "the store refuses to %s %s (%s); give credentials that may, or correct the Secret", verb, s.URI(key), code)
	case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return fail.Usage("WrongRegion", "%s %s: %v; set storage.s3.region to the bucket's", verb, s.URI(key), err)
	}
	return fmt.Errorf("%s %s: %w", verb, s.URI(key), err)
}
