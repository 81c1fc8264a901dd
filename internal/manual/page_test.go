package manual

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

func TestFill(t *testing.T) {
	root := &cobra.Command{Use: "tool"}
	sub := &cobra.Command{
		Use:   "act NAME",
		Short: "Acts",
		Long: `Acts on a name. It may say \n, and
-- more.

  {"shown": as it is}
  .so

Then it ends.`,
		Example: "  tool act one\n  tool act two",
		Run:     func(*cobra.Command, []string) {},
	}
	sub.Flags().StringP("where", "w", "/tmp", "the `place`")
	sub.Flags().Bool("why", false, "tell why. Or not (default: neither)")
	sub.Flags().Bool("secret", false, "nobody knows")
	_ = sub.Flags().MarkHidden("secret")
	hidden := &cobra.Command{Use: "hidden", Hidden: true, Run: sub.Run}
	root.AddCommand(sub, hidden)
	got := Fill(".Dd @DATE@\n.Os tool @VERSION@\n@COMMANDS@\n.Sh END\n", root, "1.0", time.Unix(0, 0))
	want := strings.Join([]string{
		".Dd January 1, 1970", ".Os tool 1.0",
		`.Ss tool act NAME`,
		`Acts on a name.`, `It may say \en, and \-\- more.`,
		`.Bd -literal -offset indent`, `{"shown": as it is}`, `\&.so`, `.Ed`,
		`.Pp`, `Then it ends.`,
		`.Bl -tag -width Ds`,
		`.It Fl w , Fl \-where Ar place`, `The place (default: /tmp)`,
		`.It Fl \-why`, `Tell why.`, `Or not (default: neither)`,
		`.El`,
		`.Pp`, `Examples:`, `.Bd -literal -offset indent`, `tool act one`, `tool act two`, `.Ed`,
		`.Sh END`, "",
	}, "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
