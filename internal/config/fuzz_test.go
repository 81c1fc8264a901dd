package config

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// Whatever is in a file: no panic, and each mistake has a place in the file.
func FuzzParse(f *testing.F) {
	example, err := os.ReadFile("../../packaging/hookbridge.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add(strings.ReplaceAll(string(example), "\n#", "\n"))
	for _, text := range []string{
		"gate = {timeout = 1, x = [", "[[gate]]\n[gate.timeout]", "a.b.c = '''\n=\n'''", "\"\" = 1\n'' . '' = 2",
		"connect = [[], {}]", "gate.timeout.x = 1", "\ufeff\ufeff=", "\xff\xfe", "x = 1\r\ny = 1979-05-27T07:32:00Z",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse("x", text)
		if err == nil {
			_ = file.Settings()
			return
		}
		var mistakes Errors
		if !errors.As(err, &mistakes) || len(mistakes) == 0 {
			t.Fatalf("%T: %v", err, err)
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.Line > 1+strings.Count(text, "\n") || m.Column < 1 || m.Err.Error() == "" {
				t.Errorf("%#v", m)
			}
		}
	})
}
