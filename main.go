// Command manager is Datastack's operator: it turns the five kinds of datastack.amdgpu.dev into pods and reports what
// they did. It holds no data and reads no Secret.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
	"k8s.io/klog/v2"
	"k8s.io/klog/v2/textlogger"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics/filters"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/amdgpu-framework/datastack/controllers"
	"github.com/amdgpu-framework/datastack/controllers/databendcluster"
	"github.com/amdgpu-framework/datastack/controllers/etlpipeline"
	"github.com/amdgpu-framework/datastack/controllers/icebergtable"
	"github.com/amdgpu-framework/datastack/controllers/lineageledger"
	"github.com/amdgpu-framework/datastack/controllers/reverseetlsync"
)

// version is set at build time.
var version = "dev"

func main() {
	flags, err := parseFlags(os.Args[1:])
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(2)
	case flags.version:
		fmt.Println(version)
		return
	}
	log := textlogger.NewLogger(textlogger.NewConfig(textlogger.Verbosity(flags.verbosity)))
	ctrl.SetLogger(log)
	klog.SetLogger(log)
	if err := run(flags, log); err != nil {
		log.Error(err, "The manager ended")
		os.Exit(1)
	}
}

func run(flags *managerFlags, log logr.Logger) error {
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the API server (in a pod this needs a ServiceAccount, elsewhere KUBECONFIG or --kubeconfig): %w", err)
	}
	mgr, err := ctrl.NewManager(config, managerOptions(flags))
	if err != nil {
		return fmt.Errorf("make the manager: %w", err)
	}
	if err := setupControllers(mgr, flags); err != nil {
		return err
	}
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	if err := mgr.AddReadyzCheck("ping", healthz.Ping); err != nil {
		return err
	}
	log.Info("Starting the manager", "version", version, "namespaces", flags.namespaces)
	return mgr.Start(ctrl.SetupSignalHandler())
}

// setupControllers adds one controller per kind.
func setupControllers(mgr ctrl.Manager, flags *managerFlags) error {
	workers := controllers.WorkerConfig{
		WorkerImage: flags.workerImage, EngineImage: flags.engineImage,
		ImageAllowlist: flags.imageAllowlist, HostPathPrefix: flags.allowHostPath,
	}
	ledgers := lineageledger.Options{Image: flags.ledgerdImage, ImageAllowlist: flags.imageAllowlist, ManagerNamespace: ownNamespace()}
	for kind, setup := range map[string]func() error{
		"ETLPipeline":     func() error { return etlpipeline.Setup(mgr, workers, flags.maxConcurrentRuns) },
		"IcebergTable":    func() error { return icebergtable.Setup(mgr, workers) },
		"LineageLedger":   func() error { return lineageledger.Setup(mgr, ledgers) },
		"DatabendCluster": func() error { return databendcluster.Setup(mgr) },
		"ReverseETLSync":  func() error { return reverseetlsync.Setup(mgr) },
	} {
		if err := setup(); err != nil {
			return fmt.Errorf("set up the controller of %s: %w", kind, err)
		}
	}
	return nil
}

// ownNamespace is the namespace of the manager's pod; empty outside a pod.
func ownNamespace() string {
	data, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func managerOptions(flags *managerFlags) manager.Options {
	grace := 10 * time.Second
	options := manager.Options{
		Scheme:                  controllers.Scheme(),
		Cache:                   controllers.CacheOptions(flags.namespaces),
		HealthProbeBindAddress:  flags.probeAddress,
		LeaderElection:          flags.leaderElect,
		LeaderElectionID:        "datastack-manager",
		LeaderElectionNamespace: flags.leaderNamespace,
		// The process ends right after the manager does, so handing over early is safe.
		LeaderElectionReleaseOnCancel: true,
		GracefulShutdownTimeout:       &grace,
		Metrics:                       metricsserver.Options{BindAddress: flags.metricsAddress},
	}
	if flags.metricsSecure {
		options.Metrics.SecureServing = true
		options.Metrics.FilterProvider = filters.WithAuthenticationAndAuthorization
		options.Metrics.CertDir = flags.metricsCertDir
	}
	return options
}
