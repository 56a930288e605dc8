package sandbox

import (
	"fmt"
	"net"
	"os"

	"github.com/amdgpu-framework/datastack/hack/localcluster/layout"
	"github.com/vishvananda/netlink"
)

// network gives the node its address. Nothing leads from here to the machine's own networks: users come in through the
// forwarded API server port, and pods reach each other and the node.
func network() error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring the loopback interface up: %w", err)
	}
	// A bridge without ports stands in for a dummy interface, which not every kernel has.
	node := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: layout.NodeInterface}}
	if err := netlink.LinkAdd(node); err != nil {
		return fmt.Errorf("create the node's interface %s: %w", layout.NodeInterface, err)
	}
	address, err := netlink.ParseAddr(layout.NodeAddress + "/32")
	if err != nil {
		return fmt.Errorf("parse the node's address: %w", err)
	}
	if err := netlink.AddrAdd(node, address); err != nil {
		return fmt.Errorf("give the node its address %s: %w", layout.NodeAddress, err)
	}
	if err := netlink.LinkSetUp(node); err != nil {
		return fmt.Errorf("bring the node's interface up: %w", err)
	}
	// The node's own connections to services need a route before the packet filter may redirect them.
	_, services, err := net.ParseCIDR(layout.ServiceSubnet)
	if err != nil {
		return fmt.Errorf("parse the services' subnet: %w", err)
	}
	route := &netlink.Route{LinkIndex: node.Index, Dst: services, Scope: netlink.SCOPE_LINK, Src: net.ParseIP(layout.NodeAddress)}
	if err := netlink.RouteAdd(route); err != nil {
		return fmt.Errorf("route the services' subnet: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0); err != nil {
		return fmt.Errorf("let the node forward packets between pods: %w", err)
	}
	return nil
}
