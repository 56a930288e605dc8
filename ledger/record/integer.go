package record

import (
	"fmt"
	"strconv"
)

// Uint64 is an unsigned integer that is a decimal string in JSON.
type Uint64 uint64

// String returns the decimal digits.
func (u Uint64) String() string { return strconv.FormatUint(uint64(u), 10) }

// MarshalJSON writes a decimal string.
func (u Uint64) MarshalJSON() ([]byte, error) { return []byte(`"` + u.String() + `"`), nil }

// UnmarshalJSON reads a decimal string with no sign and no leading zeros; a JSON number is refused.
func (u *Uint64) UnmarshalJSON(data []byte) error {
	if len(data) < 3 || data[0] != '"' || data[len(data)-1] != '"' {
		return fmt.Errorf(`expected an integer as a decimal string such as "42", found %.40s`, data)
	}
	digits := string(data[1 : len(data)-1])
	v, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || strconv.FormatUint(v, 10) != digits {
		return fmt.Errorf(`expected a decimal string from "0" to "18446744073709551615" without leading zeros, found %.40q`, digits)
	}
	*u = Uint64(v)
	return nil
}
