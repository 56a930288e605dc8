package boot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/addons"
	"github.com/amdgpu-framework/datastack/hack/localcluster/gpuplugin"
	"github.com/amdgpu-framework/datastack/hack/localcluster/image"
	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/amdgpu-framework/datastack/hack/localcluster/packages"
	"github.com/amdgpu-framework/datastack/hack/localcluster/sandbox"
)

// ready takes a started cluster to where pods run and names resolve.
func ready(ctx context.Context, c layout.Cluster, o Options, state sandbox.State, found packages.Found, progress io.Writer) error {
	kubectl := func(ctx context.Context, input string, arguments ...string) (string, error) {
		return runKubectl(ctx, o.Binaries, c.Kubeconfig(), input, arguments...)
	}
	steps := []struct {
		name, state string
		try         func(context.Context) error
	}{
		{"kube-apiserver", "ready", func(ctx context.Context) error {
			_, err := kubectl(ctx, "", "get", "--raw", "/readyz")
			return err
		}},
		{"addons", "applied", func(ctx context.Context) error {
			_, err := kubectl(ctx, addons.Manifest, "apply", "--server-side", "--force-conflicts", "-f", "-")
			return err
		}},
		{"images of the cluster", "imported", func(ctx context.Context) error {
			return ownImages(ctx, c, o.Binaries, found.Ctr)
		}},
		{"node " + layout.NodeName, "ready", func(ctx context.Context) error {
			return condition(ctx, kubectl, "node/"+layout.NodeName, `{.status.conditions[?(@.type=="Ready")].status}`, "True")
		}},
		{"service accounts", "ready", func(ctx context.Context) error {
			// Pods are refused until the namespace has its account.
			_, err := kubectl(ctx, "", "-n", "default", "get", "serviceaccount", "default")
			return err
		}},
		{"coredns", "ready", func(ctx context.Context) error {
			return condition(ctx, kubectl, "-n kube-system deployment/coredns", "{.status.availableReplicas}", "1")
		}},
	}
	if state.SimulatedGPUs > 0 {
		steps = append(steps, struct {
			name, state string
			try         func(context.Context) error
		}{fmt.Sprintf("%d simulated GPUs", state.SimulatedGPUs), "ready", func(ctx context.Context) error {
			return gpus(ctx, kubectl, state.SimulatedGPUs)
		}})
	}
	for _, s := range steps {
		started := time.Now()
		if err := until(ctx, state.Init, s.try); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		Step(progress, s.name, s.state, started)
	}
	return nil
}

// until tries again until there is success, or no time, or no cluster.
func until(ctx context.Context, init sandbox.Process, try func(context.Context) error) error {
	for {
		err := try(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w; the last answer: %w", context.Cause(ctx), err)
		}
		if !init.Alive() {
			return fmt.Errorf("the cluster's first process (%d) has ended: %w", init.PID, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

type kubectlFunc func(ctx context.Context, input string, arguments ...string) (string, error)

// condition succeeds when the object's field has the value.
func condition(ctx context.Context, kubectl kubectlFunc, object, jsonPath, want string) error {
	got, err := kubectl(ctx, "", append(append([]string{"get"}, strings.Fields(object)...), "-o", "jsonpath="+jsonPath)...)
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s: %s is %q, expected %q", object, jsonPath, got, want)
	}
	return nil
}

func gpus(ctx context.Context, kubectl kubectlFunc, count int) error {
	arguments := []string{"label", "--overwrite", "node", layout.NodeName}
	for key, value := range gpuplugin.Labels() {
		arguments = append(arguments, key+"="+value)
	}
	if _, err := kubectl(ctx, "", arguments...); err != nil {
		return err
	}
	return condition(ctx, kubectl, "node/"+layout.NodeName, `{.status.capacity.amd\.com/gpu}`, fmt.Sprint(count))
}

// ownImages builds and imports the images that the cluster itself runs.
func ownImages(ctx context.Context, c layout.Cluster, binaries, ctr string) error {
	importer, err := Importer(c, ctr)
	if err != nil {
		return err
	}
	for binary, name := range map[string]string{"pause": layout.PauseImage, "coredns": layout.CoreDNSImage} {
		spec := image.Spec{
			Name: name, Entrypoint: []string{"/" + binary}, User: "65532:65532",
			Files: []image.Copy{{From: filepath.Join(binaries, binary), To: "/" + binary}},
		}
		archive := filepath.Join(binaries, "images", binary+".tar")
		if _, err := image.Build(spec, "/", archive); err != nil {
			return err
		}
		if _, err := importer.Import(ctx, archive); err != nil {
			return err
		}
	}
	return nil
}

func runKubectl(ctx context.Context, binaries, kubeconfig, input string, arguments ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(binaries, "kubernetes"))
	cmd.Args = append([]string{"kubectl", "--kubeconfig", kubeconfig, "--request-timeout", "10s"}, arguments...)
	cmd.Env = os.Environ()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
