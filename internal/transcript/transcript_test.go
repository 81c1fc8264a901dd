package transcript

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const document = "text\n```console host\n$ one\nfirst\n# two\n```\n```sh\nscript\n```\n```console\n$ at\n10:11:12  52:54:00:bb:00:01: exit 0 in 3ms\n…\nlast\n```\n"

func TestBlocks(t *testing.T) {
	want := []Block{
		{Where: "host", Line: 3, Steps: []Step{{"one", "first\n"}, {"two", ""}}},
		{Line: 11, Steps: []Step{{"at", "10:11:12  52:54:00:bb:00:01: exit 0 in 3ms\n…\nlast\n"}}},
	}
	if diff := cmp.Diff(want, Blocks(document)); diff != "" {
		t.Error(diff)
	}
	if got := Fence(document, "sh"); got != "script\n" {
		t.Errorf("the fence holds %q", got)
	}
}

// A version is that of a release, or what git says of where it was built.
func TestVersions(t *testing.T) {
	step := Step{Output: "hookbridge 0.1.0 runs"}
	for printed, same := range map[string]bool{
		"hookbridge 0.2.0-3-gc8c1d1e runs": true, "hookbridge c8c1d1e runs": true, "hookbridge 1050e7f-dirty runs": true,
		"hookbridge development runs": true, "hookbridge never runs": false,
	} {
		if err := step.Check(printed); (err == nil) != same {
			t.Errorf("%q: %v", printed, err)
		}
	}
}

func TestCheck(t *testing.T) {
	step := Blocks(document)[1].Steps[0]
	for printed, same := range map[string]bool{
		"01:02:03  52:54:00:bb:00:01: exit 0 in 1.5s\nmore\nand more\nlast\n": true,
		"01:02:03  52:54:00:bb:00:01: exit 0 in 12ms\nlast\n":                 true,
		"01:02:03  52:54:00:bb:00:02: exit 0 in 12ms\nlast\n":                 false,
		"01:02:03  52:54:00:bb:00:01: exit 1 in 12ms\nlast\n":                 false,
		"01:02:03  52:54:00:bb:00:01: exit 0 in 12ms\nlast\nmore\n":           false,
	} {
		if err := step.Check(printed); (err == nil) != same {
			t.Errorf("%q: %v", printed, err)
		}
	}
}
