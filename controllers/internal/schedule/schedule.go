// Package schedule decides when a cron schedule is due. It keeps no state: the
// caller passes the last handled tick and the time, so a restart changes nothing.
package schedule

import (
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the manager's image carries no zone files

	"github.com/robfig/cron/v3"
)

// Cron is a parsed cron line in one time zone.
type Cron struct {
	line     string
	location *time.Location
	schedule cron.Schedule
}

// Parse reads a cron line of five fields (or @hourly, @daily, @weekly, @monthly,
// @yearly, @every 15m) in the named time zone; an empty zone is UTC. It refuses
// lines that never fire, such as 30 February.
func Parse(line, timeZone string) (*Cron, error) {
	line = strings.TrimSpace(line)
	switch {
	case line == "":
		return nil, errors.New(`schedule.cron is empty: write five fields such as "15 * * * *"`)
	case strings.Contains(line, "TZ="):
		return nil, fmt.Errorf("schedule.cron %q sets a time zone: put it into schedule.timeZone", line)
	}
	if timeZone == "" {
		timeZone = "UTC"
	}
	// "Local" would make the ticks depend on where the manager runs.
	if timeZone == "Local" {
		return nil, errors.New(`schedule.timeZone "Local" is not a zone: write an IANA name such as Europe/Berlin`)
	}
	location, err := time.LoadLocation(timeZone)
	if err != nil {
		return nil, fmt.Errorf("schedule.timeZone %q is not known: write an IANA name such as Europe/Berlin", timeZone)
	}
	parsed, err := parseLine(line)
	if err != nil {
		return nil, fmt.Errorf("schedule.cron %q cannot be read: %w", line, err)
	}
	c := &Cron{line: line, location: location, schedule: parsed}
	// Leap days recur within 8 years, so a line silent from here never fires.
	if c.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, fmt.Errorf("schedule.cron %q never fires: no such date exists", line)
	}
	return c, nil
}

func parseLine(line string) (cron.Schedule, error) {
	text, ok := strings.CutPrefix(line, "@every ")
	if !ok {
		return cron.ParseStandard(line)
	}
	period, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		return nil, err
	}
	if period < time.Second {
		return nil, fmt.Errorf("the period is %s: the shortest is 1s", period)
	}
	return every(period), nil
}

// every ticks at the multiples of a period, so that a tick does not depend on
// when the manager was started (the library's own @every does).
type every time.Duration

func (e every) Next(t time.Time) time.Time {
	return t.Truncate(time.Duration(e)).Add(time.Duration(e))
}

// Next returns the first tick after t, in UTC; zero when there is none within five years.
func (c *Cron) Next(t time.Time) time.Time {
	next := c.schedule.Next(t.In(c.location))
	if next.IsZero() {
		return time.Time{}
	}
	return next.UTC()
}

// lookBack are the windows searched for the newest tick, so that neither a
// schedule of every minute nor one of 29 February walks many ticks.
var lookBack = []time.Duration{2 * time.Minute, 2 * time.Hour, 48 * time.Hour, 62 * 24 * time.Hour, 9 * 366 * 24 * time.Hour}

// Newest returns the latest tick in (after, until], in UTC; zero when there is none.
func (c *Cron) Newest(after, until time.Time) time.Time {
	for _, window := range lookBack {
		from := until.Add(-window)
		exhausted := !from.After(after)
		if exhausted {
			from = after
		}
		var newest time.Time
		for t := c.Next(from); !t.IsZero() && !t.After(until); t = c.Next(t) {
			newest = t
		}
		if !newest.IsZero() || exhausted {
			return newest
		}
	}
	return time.Time{}
}
