package check

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"
)

func printed(t *testing.T, coloured bool, all ...Finding) string {
	t.Helper()
	r := Report{OK: true}
	r.add(all...)
	var b bytes.Buffer
	if err := r.Print(&b, coloured); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrint(t *testing.T) {
	got := printed(t, false,
		ok(Library, "", "libvirt 9.0.0 from /usr/lib/x86_64-linux-gnu/libvirt.so.0.9000.0"),
		problem(ScriptMode, "", "/etc/libvirt/hooks/network is not executable", "chmod a+x /etc/libvirt/hooks/network"),
		warning(Gate, "", "long", "hookbridge gate install --guest qemu --hook-dir '/etc/a directory with spaces/hooks' --socket /run/x"),
		warning(Script, "", "none", "Write one to /etc/libvirt/hooks/network, mode 0755; the manual has an example."),
	)
	want := `ok       library         libvirt 9.0.0 from
                         /usr/lib/x86_64-linux-gnu/libvirt.so.0.9000.0
problem  script-mode     /etc/libvirt/hooks/network is not executable
         mend: chmod a+x /etc/libvirt/hooks/network
warning  gate            long
         mend: hookbridge gate install --guest qemu --hook-dir \
               '/etc/a directory with spaces/hooks' --socket /run/x
warning  script          none
         mend: Write one to /etc/libvirt/hooks/network, mode 0755; the manual
               has an example.

hookbridge would not work here: 1 problem, and there are 2 warnings. Begin with
script-mode, then run hookbridge check again.
`
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for line := range strings.Lines(got) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > Width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestPrintColours(t *testing.T) {
	if got := printed(t, true, ok(Clock, "", "right")); !strings.HasPrefix(got, "\x1b[32mok       \x1b[0mclock ") {
		t.Errorf("%q", got)
	}
	if got := printed(t, false, ok(Clock, "", "right")); strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}

// Whatever stands in a finding, no line is wider, and no text is lost.
func FuzzWrap(f *testing.F) {
	f.Add("a text of /some/very/long/path/that/does/not/fit/into/a/line/at/all/whatever/one/does words", 30)
	f.Add("x", 10)
	f.Add("/", 20)
	f.Fuzz(func(t *testing.T, text string, width int) {
		if width < 1 || width > 200 || !utf8.ValidString(text) {
			return
		}
		lines := wrap(text, width, "")
		for _, line := range lines {
			if utf8.RuneCountInString(line) > width {
				t.Errorf("%q is wider than %d", line, width)
			}
		}
		joined := strings.Join(lines, "")
		if strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%q became %q", text, joined)
		}
	})
}
