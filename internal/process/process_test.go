package process

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"
)

func TestReadItself(t *testing.T) {
	s, err := Read(os.Getpid())
	if err != nil || s.Name == "" || s.Start == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestReadOneThatHasEnded(t *testing.T) {
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(cmd.Process.Pid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestParse(t *testing.T) {
	const fields = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20"
	for text, want := range map[string]Stat{
		"9 (libvirtd)" + fields:     {Name: "libvirtd", Start: 4711},
		"9 (a) (b) 1 (c) " + fields: {Name: "a) (b) 1 (c", Start: 4711},
		"9 ()" + fields:             {Start: 4711},
		"9 (x) T 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 7 20": {Name: "x", Start: 7, Stopped: true},
		"9 (x) S 1": {},
		"":          {},
		")(":        {},
		"9 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 never": {},
	} {
		got, err := parse([]byte(text))
		if (err != nil) != (want == Stat{}) || err == nil && got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}
