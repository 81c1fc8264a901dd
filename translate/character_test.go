package translate

import (
	"testing"
)

func TestFirstForbidden(t *testing.T) {
	clean := "<a b=' ~'>\t\n text \x7f and é € 𝄞 more text </a>"
	if at, why := firstForbidden(clean); why != "" {
		t.Errorf("byte %d: %s", at, why)
	}
	const room = "                         "
	for i := range room {
		for _, bad := range []string{"\x00", "\x01", "\x1f", "\x80", "\xff", "\xc3", "\uffff"} {
			doc := room[:i] + bad + room[i:]
			if at, why := firstForbidden(doc); at != i || why == "" {
				t.Errorf("%q at %d: found at %d: %q", bad, i, at, why)
			}
		}
	}
}
