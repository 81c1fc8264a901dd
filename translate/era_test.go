package translate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	const all = "start,started,stopped,plugged,unplugged"
	for name, c := range map[string]struct {
		marks   Marks
		version uint32
		replay  string
		native  string
		reason  string
	}{
		"0.10.2":                 {Marks{Source: "s"}, 10002, all, "", "no network hook"},
		"RHEL 6.6, 0.10.2":       {Marks{Source: "s", HookData: true, Unplugged: true}, 10002, "", all, "plugged and unplugged"},
		"1.1.1":                  {Marks{Source: "s"}, 1001001, all, "", "no network hook"},
		"1.2.2":                  {Marks{Source: "s", HookData: true, Unplugged: true}, 1002002, "", all, "plugged"},
		"2.1.0":                  {Marks{Source: "s", HookData: true, Unplugged: true}, 2001000, "", all + ",updated", "plugged"},
		"9.0.0":                  {Marks{Source: "s", HookData: true, PortCreated: true}, 9000000, "plugged,unplugged", "start,started,stopped,updated,port-created,port-deleted", "port-created"},
		"9.0.0, both names":      {Marks{Source: "s", HookData: true, PortCreated: true, Unplugged: true}, 9000000, "plugged,unplugged", "start,started,stopped,updated,port-created,port-deleted", "port-created"},
		"9.0.0, built without":   {Marks{Source: "s"}, 9000000, all, "", "no network hook"},
		"a name but no document": {Marks{Source: "s", Unplugged: true}, 1002002, all, "", "no network hook"},
		"unknown, 1.2.1":         {Marks{}, 1002001, all, "", "version alone"},
		"unknown, 1.2.2":         {Marks{}, 1002002, "", all, "version alone"},
		"unknown, 5.4.0":         {Marks{}, 5004000, "", all + ",updated", "version alone"},
		"unknown, 5.5.0":         {Marks{}, 5005000, "plugged,unplugged", "start,started,stopped,updated,port-created,port-deleted", "5.5.0"},
	} {
		v := Judge(c.marks, c.version)
		got := []string{v.Auto().String(), v.Native.String()}
		if diff := cmp.Diff([]string{c.replay, c.native}, got); diff != "" {
			t.Errorf("%s: replayed, native (-want +got):\n%s", name, diff)
		}
		if !strings.Contains(v.Reason, c.reason) {
			t.Errorf("%s: reason %q, want %q in it", name, v.Reason, c.reason)
		}
	}
}
