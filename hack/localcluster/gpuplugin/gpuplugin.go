// Package gpuplugin advertises simulated AMD GPUs to the kubelet, over the device-plugin API and under the resource name
// that AMD's own plugin uses. Scheduling, allocation and the loss of a device are real; the devices are not.
package gpuplugin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	resource = "amd.com/gpu"
	socket   = "amd.com_gpu.sock"
	// AllocatedEnv tells a container the names of its simulated devices, separated by commas.
	AllocatedEnv = "DATASTACK_SIMULATED_GPUS"
	pollInterval = 500 * time.Millisecond
)

// Labels are what AMD's node labeller writes for an Instinct MI300X, and the label that says that it is simulated.
func Labels() map[string]string {
	labels := map[string]string{"datastack.amdgpu.dev/simulated-gpu": "true"}
	for key, value := range map[string]string{
		"family": "AI", "device-id": "74a1", "product-name": "AMD_Instinct_MI300X_OAM", "vram": "192G",
		"simd-count": "1216", "cu-count": "304",
	} {
		labels["amd.com/gpu."+key] = value
		labels["beta.amd.com/gpu."+key] = value
	}
	return labels
}

type plugin struct {
	api.UnimplementedDevicePluginServer
	health string // folder with one file for each device
	names  []string
}

// Run serves the devices until the context ends. The file NAME in the health folder holds Healthy or Unhealthy.
func Run(ctx context.Context, devices int, health, pluginFolder string) error {
	p := &plugin{health: health}
	for i := range devices {
		name := fmt.Sprintf("gpu-%d", i)
		p.names = append(p.names, name)
		file := filepath.Join(health, name)
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			if err := os.WriteFile(file, []byte(api.Healthy+"\n"), 0o644); err != nil {
				return fmt.Errorf("write a device's health: %w", err)
			}
		}
	}
	// A kubelet that starts again removes every plugin's socket: serve and register anew.
	for ctx.Err() == nil {
		if err := p.serve(ctx, pluginFolder); err != nil {
			fmt.Fprintf(os.Stderr, "%s %v\n", time.Now().Format(time.RFC3339), err)
		}
		pause(ctx)
	}
	return nil
}

// serve registers once and returns when the kubelet has removed the socket.
func (p *plugin) serve(ctx context.Context, folder string) error {
	path := filepath.Join(folder, socket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the plugin's old socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen for the kubelet: %w", err)
	}
	server := grpc.NewServer()
	api.RegisterDevicePluginServer(server, p)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	if err := register(ctx, filepath.Join(folder, filepath.Base(api.KubeletSocket))); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s registered %d devices\n", time.Now().Format(time.RFC3339), len(p.names))
	for ctx.Err() == nil {
		if _, err := os.Stat(path); err != nil {
			return errors.New("the kubelet started again")
		}
		pause(ctx)
	}
	return nil
}

func register(ctx context.Context, kubelet string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := grpc.NewClient("unix://"+kubelet, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("reach the kubelet: %w", err)
	}
	defer conn.Close()
	_, err = api.NewRegistrationClient(conn).Register(ctx, &api.RegisterRequest{
		Version: api.Version, Endpoint: socket, ResourceName: resource, Options: &api.DevicePluginOptions{},
	})
	if err != nil {
		return fmt.Errorf("register with the kubelet: %w", err)
	}
	return nil
}

// GetDevicePluginOptions says that no optional call is served.
func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// ListAndWatch sends the devices now and whenever one's health changes.
func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	var last []string
	for stream.Context().Err() == nil {
		if now := p.readHealth(); !slices.Equal(now, last) {
			list := &api.ListAndWatchResponse{}
			for i, name := range p.names {
				list.Devices = append(list.Devices, &api.Device{ID: name, Health: now[i]})
			}
			if err := stream.Send(list); err != nil {
				return err
			}
			last = now
		}
		pause(stream.Context())
	}
	return nil
}

// readHealth returns each device's health. A device without a readable file is not there any more: Unhealthy.
func (p *plugin) readHealth() []string {
	health := make([]string, len(p.names))
	for i, name := range p.names {
		b, err := os.ReadFile(filepath.Join(p.health, name))
		health[i] = api.Unhealthy
		if err == nil && strings.TrimSpace(string(b)) == api.Healthy {
			health[i] = api.Healthy
		}
	}
	return health
}

// Allocate gives a container the names of its devices; AMD's plugin gives it device nodes, which a simulation lacks.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		for _, id := range container.DevicesIds {
			if !slices.Contains(p.names, id) {
				return nil, fmt.Errorf("the kubelet asks for %q; the devices are %s", id, strings.Join(p.names, ", "))
			}
		}
		response.ContainerResponses = append(response.ContainerResponses, &api.ContainerAllocateResponse{
			Envs: map[string]string{AllocatedEnv: strings.Join(container.DevicesIds, ",")},
		})
	}
	return response, nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(pollInterval):
	}
}

// Folder is where the kubelet expects plugins' sockets.
func Folder() string { return filepath.Join(layout.KubeletRoot, "device-plugins") }
