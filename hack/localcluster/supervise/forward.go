package supervise

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"time"
)

// Forward hands each accepted connection on to an address, until the context ends. The listener may belong to another
// network namespace than the address: that is how users reach the API server.
func Forward(ctx context.Context, logger *log.Logger, listener net.Listener, address string) {
	defer context.AfterFunc(ctx, func() { _ = listener.Close() })()
	for {
		user, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			logger.Printf("accept a connection for the API server: %v", err)
			time.Sleep(100 * time.Millisecond) // out of descriptors, most likely
			continue
		}
		go join(ctx, user, address)
	}
}

// join copies both ways; each side hears of the other's end of stream.
func join(ctx context.Context, user net.Conn, address string) {
	defer user.Close()
	server, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return // the user sees a closed connection, as from a server that is starting
	}
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		copyThenClose(server, user)
	}()
	copyThenClose(user, server)
	<-done
}

func copyThenClose(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(*net.TCPConn); ok && err == nil {
		_ = tcp.CloseWrite()
		return
	}
	// One direction broke: the other must not wait for ever.
	_, _ = to.Close(), from.Close()
}
