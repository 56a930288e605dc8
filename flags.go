package main

import (
	"flag"
	"fmt"
	"path"
	"strings"

	"github.com/spf13/pflag"
	"sigs.k8s.io/controller-runtime/pkg/client/config"
)

// managerFlags is everything that the command line decides.
type managerFlags struct {
	workerImage, engineImage, ledgerdImage string
	imageAllowlist                         []string
	namespaces                             []string
	allowHostPath                          string
	maxConcurrentRuns                      int

	leaderElect     bool
	leaderNamespace string
	metricsAddress  string
	metricsSecure   bool
	metricsCertDir  string
	probeAddress    string
	verbosity       int
	version         bool
}

func parseFlags(args []string) (*managerFlags, error) {
	f := &managerFlags{}
	set := pflag.NewFlagSet("manager", pflag.ContinueOnError)
	set.SortFlags = false
	set.StringVar(&f.workerImage, "worker-image", "", "image of gpuworker, for pods whose spec.worker names none (required)")
	set.StringVar(&f.engineImage, "engine-image", "", "image of the engine container that runs Polars and DataFusion (required)")
	set.StringVar(&f.ledgerdImage, "ledgerd-image", "", "image of ledgerd (required)")
	set.StringSliceVar(&f.imageAllowlist, "worker-image-allowlist", nil, "images that spec.worker.image may name, each exact or a prefix with * at its end; empty: only --worker-image")
	set.StringSliceVar(&f.namespaces, "watch-namespaces", nil, "namespaces to serve; empty: all")
	set.IntVar(&f.maxConcurrentRuns, "max-concurrent-runs", 0, "pipeline runs at once in all namespaces; further ones wait with the reason QuotaReached; 0: no limit")
	set.StringVar(&f.allowHostPath, "allow-host-path", "", "folder under which storage of type hostPath is allowed; empty: refuse it")
	set.BoolVar(&f.leaderElect, "leader-elect", false, "let only one of several managers work, by a Lease")
	set.StringVar(&f.leaderNamespace, "leader-election-namespace", "", "namespace of the Lease; empty: the pod's own")
	set.StringVar(&f.metricsAddress, "metrics-bind-address", ":8443", "address of /metrics; 0 turns it off")
	set.BoolVar(&f.metricsSecure, "metrics-secure", true, "serve /metrics over TLS, to callers whose token may get it")
	set.StringVar(&f.metricsCertDir, "metrics-cert-dir", "", "folder with tls.crt and tls.key for /metrics; empty: a self-signed certificate")
	set.StringVar(&f.probeAddress, "health-probe-bind-address", ":8081", "address of /healthz and /readyz; 0 turns it off")
	set.IntVarP(&f.verbosity, "v", "v", 0, "how much to log: 0 changes and errors, 4 decisions, 6 requests")
	set.BoolVar(&f.version, "version", false, "print the version and end")
	set.AddGoFlag(flag.CommandLine.Lookup(config.KubeconfigFlagName))
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if f.version {
		return f, nil
	}
	if rest := set.Args(); len(rest) > 0 {
		return nil, fmt.Errorf("unexpected argument %q; every setting is a flag (see --help)", rest[0])
	}
	return f, f.validate()
}

func (f *managerFlags) validate() error {
	for _, image := range []struct{ flag, value string }{
		{"--worker-image", f.workerImage}, {"--engine-image", f.engineImage}, {"--ledgerd-image", f.ledgerdImage},
	} {
		if image.value == "" {
			return fmt.Errorf("%s is empty; name the image that belongs to this manager's release", image.flag)
		}
	}
	if f.maxConcurrentRuns < 0 {
		return fmt.Errorf("--max-concurrent-runs is %d; it is 0 (no limit) or more", f.maxConcurrentRuns)
	}
	// A relative or unclean prefix would match other folders than the one it seems to name.
	if p := f.allowHostPath; p != "" && (!path.IsAbs(p) || path.Clean(p) != p) {
		return fmt.Errorf("--allow-host-path is %q; it must be an absolute folder without '..' or a slash at its end, such as /srv/data", p)
	}
	for _, entry := range f.imageAllowlist {
		if strings.TrimSpace(entry) == "" || strings.Contains(strings.TrimSuffix(entry, "*"), "*") {
			return fmt.Errorf("--worker-image-allowlist holds %q; an entry is an image, or the beginning of one with * at its end, such as ghcr.io/acme/*", entry)
		}
	}
	return nil
}
