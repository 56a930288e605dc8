package schedule

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func at(t *testing.T, value string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, value)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func mustParse(t *testing.T, line, zone string) *Cron {
	t.Helper()
	c, err := Parse(line, zone)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParseRefusals(t *testing.T) {
	for _, tc := range []struct{ line, zone, want string }{
		{"", "", "is empty"},
		{"CRON_TZ=Europe/Berlin 0 * * * *", "", "put it into schedule.timeZone"},
		{"@every 5", "", "cannot be read"},
		{"@every 10ms", "", "the shortest is 1s"},
		{"@reboot", "", "cannot be read"},
		{"61 * * * *", "", "cannot be read"},
		{"* * * *", "", "cannot be read"},
		{"0 0 30 2 *", "", "never fires"},
		{"0 * * * *", "Mars/Olympus", "Mars/Olympus"},
		{"0 * * * *", "Local", "IANA"},
	} {
		if _, err := Parse(tc.line, tc.zone); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("Parse(%q, %q) = %v, want an error with %q", tc.line, tc.zone, err, tc.want)
		}
	}
}

func TestDecide(t *testing.T) {
	for _, tc := range []struct {
		name, line, zone          string
		now, last                 string
		deadline                  time.Duration
		wantDue, wantSkip, wantNx string
	}{
		{name: "not yet", line: "15 * * * *", now: "2026-05-01T10:14:59Z", last: "2026-05-01T09:15:00Z", wantNx: "2026-05-01T10:15:00Z"},
		{name: "exactly on the tick", line: "15 * * * *", now: "2026-05-01T10:15:00Z", last: "2026-05-01T09:15:00Z", wantDue: "2026-05-01T10:15:00Z", wantNx: "2026-05-01T11:15:00Z"},
		{name: "handled already", line: "15 * * * *", now: "2026-05-01T10:15:30Z", last: "2026-05-01T10:15:00Z", wantNx: "2026-05-01T11:15:00Z"},
		{name: "newest of many missed", line: "* * * * *", now: "2026-05-11T10:15:30Z", last: "2026-05-01T00:00:00Z", wantDue: "2026-05-11T10:15:00Z", wantNx: "2026-05-11T10:16:00Z"},
		{name: "missed within the deadline", line: "0 3 * * *", now: "2026-05-11T03:04:00Z", last: "2026-05-09T03:00:00Z", deadline: 5 * time.Minute, wantDue: "2026-05-11T03:00:00Z", wantNx: "2026-05-12T03:00:00Z"},
		{name: "missed beyond the deadline", line: "0 3 * * *", now: "2026-05-11T03:06:00Z", last: "2026-05-09T03:00:00Z", deadline: 5 * time.Minute, wantSkip: "2026-05-11T03:00:00Z", wantNx: "2026-05-12T03:00:00Z"},
		{name: "leap day after years down", line: "0 0 29 2 *", now: "2027-05-11T00:00:00Z", last: "2020-03-01T00:00:00Z", wantDue: "2024-02-29T00:00:00Z", wantNx: "2028-02-29T00:00:00Z"},
		{name: "time zone in summer", line: "0 6 * * *", zone: "Europe/Berlin", now: "2026-07-01T04:00:00Z", last: "2026-06-30T04:00:00Z", wantDue: "2026-07-01T04:00:00Z", wantNx: "2026-07-02T04:00:00Z"},
		{name: "time zone in winter", line: "0 6 * * *", zone: "Europe/Berlin", now: "2026-01-01T04:30:00Z", last: "2025-12-31T05:00:00Z", wantNx: "2026-01-01T05:00:00Z"},
		{name: "hour that spring forward removes", line: "30 2 * * *", zone: "Europe/Berlin", now: "2026-03-29T12:00:00Z", last: "2026-03-28T01:30:00Z", wantNx: "2026-03-30T00:30:00Z"},
		{name: "every period, at its multiples", line: "@every 10m", now: "2026-05-01T08:07:00Z", last: "2026-05-01T07:12:13Z", wantDue: "2026-05-01T08:00:00Z", wantNx: "2026-05-01T08:10:00Z"},
		{name: "clock behind the last tick", line: "15 * * * *", now: "2026-05-01T08:00:00Z", last: "2026-05-01T09:15:00Z", wantNx: "2026-05-01T08:15:00Z"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := mustParse(t, tc.line, tc.zone).Decide(at(t, tc.now), at(t, tc.last), tc.deadline)
			check := func(what string, got time.Time, want string) {
				if want == "" && !got.IsZero() || want != "" && !got.Equal(at(t, want)) {
					t.Errorf("%s = %v, want %q", what, got, want)
				}
			}
			check("Due", got.Due, tc.wantDue)
			check("Skipped", got.Skipped, tc.wantSkip)
			check("Next", got.Next, tc.wantNx)
		})
	}
}

// TestNewestEqualsWalk compares the windowed search with a plain walk.
func TestNewestEqualsWalk(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	lines := []string{"* * * * *", "*/7 * * * *", "5 */3 * * *", "0 6 * * 1-5", "0 0 1 * *", "59 23 31 12 *"}
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"}
	start := at(t, "2026-01-01T00:00:00Z")
	for range 200 {
		line, zone := lines[random.IntN(len(lines))], zones[random.IntN(len(zones))]
		c := mustParse(t, line, zone)
		after := start.Add(time.Duration(random.Int64N(int64(700 * 24 * time.Hour))))
		until := after.Add(time.Duration(random.Int64N(int64(20 * 24 * time.Hour))))
		var want time.Time
		for tick := c.Next(after); !tick.IsZero() && !tick.After(until); tick = c.Next(tick) {
			want = tick
		}
		if got := c.Newest(after, until); !got.Equal(want) {
			t.Fatalf("%q in %s, (%v, %v]: got %v, want %v", line, zone, after, until, got, want)
		}
	}
}
