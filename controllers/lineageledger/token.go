package lineageledger

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
	"github.com/amdgpu-framework/datastack/controllers/internal/ledgerref"
)

// tokenBytes of randomness make guessing hopeless.
const tokenBytes = 32

// createToken makes the Secret with the bearer token. One that exists is adopted as it is: the manager may create
// Secrets and cannot read them, so it neither knows nor changes the value.
func createToken(ctx context.Context, c client.Client, ledger *v1alpha1.LineageLedger) error {
	raw := make([]byte, tokenBytes)
	_, _ = rand.Read(raw) // never fails: it ends the process instead
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: ledger.Namespace, Name: ledgerref.TokenSecretName(ledger.Name), Labels: childLabels(ledger),
		},
		Data: map[string][]byte{ledgerref.TokenKey: []byte(base64.RawURLEncoding.EncodeToString(raw))},
	}
	if purges(ledger) {
		secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(ledger, v1alpha1.GroupVersion.WithKind(kind))}
	}
	if err := c.Create(ctx, secret); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create the token Secret %s: %w", secret.Name, err)
	}
	return nil
}
