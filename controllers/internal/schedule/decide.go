package schedule

import "time"

// Plan is what a schedule asks for at one moment.
type Plan struct {
	// Due is the tick that should run now; zero when none is due.
	Due time.Time
	// Skipped is the newest tick that is too old to run; zero when none was missed.
	Skipped time.Time
	// Next is the first tick after now; zero when the schedule has ended.
	Next time.Time
}

// Decide answers for the ticks after lastTick (the last one handled, or the time
// from which the schedule counts). Of several missed ticks only the newest is due,
// and only within startingDeadline of its time; a deadline of zero is no limit.
func (c *Cron) Decide(now, lastTick time.Time, startingDeadline time.Duration) Plan {
	plan := Plan{Next: c.Next(now)}
	newest := c.Newest(lastTick, now)
	switch {
	case newest.IsZero():
	case startingDeadline > 0 && now.Sub(newest) > startingDeadline:
		plan.Skipped = newest
	default:
		plan.Due = newest
	}
	return plan
}
