package lakehouse

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is the wait before the next try: it doubles from 5 ms to 1 s, with full jitter so that writers drift apart.
func backoff(try int) time.Duration {
	limit := min(5*time.Millisecond<<min(try, 10), time.Second)
	return time.Millisecond + rand.N(limit) //nolint:gosec // spreads retries, guards nothing
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
