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
