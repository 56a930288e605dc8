package main

import (
	"strings"
	"testing"
)

func TestFlagsAreChecked(t *testing.T) {
	images := []string{"--worker-image=w", "--engine-image=e", "--ledgerd-image=l"}
	for name, tc := range map[string]struct {
		args []string
		want string // part of the error; empty: accepted
	}{
		"the images are enough":  {images, ""},
		"version needs nothing":  {[]string{"--version"}, ""},
		"everything":             {append([]string{"--leader-elect", "--watch-namespaces=a,b", "--allow-host-path=/srv/data", "--worker-image-allowlist=r/w,r/x*", "--max-concurrent-runs=4", "-v=4"}, images...), ""},
		"no worker image":        {images[1:], "--worker-image is empty"},
		"no engine image":        {[]string{images[0], images[2]}, "--engine-image is empty"},
		"no ledgerd image":       {images[:2], "--ledgerd-image is empty"},
		"negative limit":         {append([]string{"--max-concurrent-runs=-1"}, images...), "--max-concurrent-runs is -1"},
		"relative host path":     {append([]string{"--allow-host-path=srv"}, images...), "absolute folder"},
		"host path with parents": {append([]string{"--allow-host-path=/srv/../etc"}, images...), "absolute folder"},
		"host path with a slash": {append([]string{"--allow-host-path=/srv/"}, images...), "absolute folder"},
		"star in the middle":     {append([]string{"--worker-image-allowlist=r/*/x"}, images...), `"r/*/x"`},
		"an empty entry":         {append([]string{"--worker-image-allowlist=a,"}, images...), `holds ""`},
		"an argument":            {append([]string{"run"}, images...), `unexpected argument "run"`},
		"an unknown flag":        {append([]string{"--workerimage=x"}, images...), "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseFlags(tc.args)
			switch {
			case tc.want == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Fatalf("error %v; want it to contain %q", err, tc.want)
			}
		})
	}
}

func TestMetricsAreGuardedUnlessTurnedOff(t *testing.T) {
	for _, tc := range []struct {
		arg     string
		guarded bool
	}{{"--metrics-secure=true", true}, {"--metrics-secure=false", false}} {
		flags, err := parseFlags([]string{"--worker-image=w", "--engine-image=e", "--ledgerd-image=l", tc.arg})
		if err != nil {
			t.Fatal(err)
		}
		metrics := managerOptions(flags).Metrics
		if metrics.SecureServing != tc.guarded || (metrics.FilterProvider != nil) != tc.guarded {
			t.Errorf("%s: TLS %v, authentication %v", tc.arg, metrics.SecureServing, metrics.FilterProvider != nil)
		}
	}
}
