package connector

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amdgpu-framework/datastack/api/v1alpha1"
)

func TestIntegersAreExact(t *testing.T) {
	p := newPlace(t)
	for _, tc := range []struct {
		kind, text, want string // no want: the row is rejected
	}{
		{"long", "0", "0"}, {"long", "-0", "0"}, {"long", "007", "7"}, {"long", " 12 ", "12"}, {"long", "+3", "3"},
		{"long", "999999999999999999", "999999999999999999"},
		{"long", "9223372036854775807", "9223372036854775807"}, {"long", "-9223372036854775808", "-9223372036854775808"},
		{"long", "9223372036854775808", ""}, {"long", "-9223372036854775809", ""}, {"long", "1.0", ""}, {"long", "1e3", ""},
		{"long", "1E3", ""}, {"long", "-", ""}, {"long", "1-", ""}, {"long", "0x1F", ""}, {"long", "1 2", ""}, {"long", "١", ""},
		{"int", "2147483647", "2147483647"}, {"int", "-2147483648", "-2147483648"}, {"int", "2147483648", ""}, {"int", "-2147483649", ""},
	} {
		p.file("a.csv", "s,n\nx,1\ny,\nz,"+tc.text+"\n")
		_, got, stats, err := p.read(filesSpec("a.csv", v1alpha1.FormatCSV, columns("s string", "n "+tc.kind), maxRejects(1)))
		require.NoError(t, err, tc.text)
		if tc.want != "" {
			require.Equal(t, []string{"x|1", "y|(null)", "z|" + tc.want}, got, tc.text)
			continue
		}
		require.Equal(t, []string{"x|1", "y|(null)"}, got, tc.text)
		data, err := os.ReadFile(stats.RejectsFile)
		require.NoError(t, err)
		require.Contains(t, string(data), `"line":4,"column":"n"`)
		require.Contains(t, string(data), `"row":"z,`+tc.text+`"`)
	}
}

func TestFirstColumnAtFaultIsNamed(t *testing.T) {
	p := newPlace(t)
	p.file("a.csv", "a,d,b\n1,1.5,2\nx,1.5,y\n3,1.005,4\n5,2.5,z\n"+strings.Repeat("6,1.25,7\n", 5000))
	_, got, stats, err := p.read(filesSpec("a.csv", v1alpha1.FormatCSV, columns("a long", "d decimal(9,2)", "b int"), maxRejects(9)))
	require.NoError(t, err)
	require.Len(t, got, 5001)
	require.EqualValues(t, 3, stats.Rejected)
	data, err := os.ReadFile(stats.RejectsFile)
	require.NoError(t, err)
	lines := strings.Split(string(data), "\n")
	for i, want := range []string{`"line":3,"column":"a"`, `"line":4,"column":"d"`, `"line":5,"column":"b"`} {
		require.Contains(t, lines[i], want)
	}
}
