package exec

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScripts(t *testing.T) {
	const sh = "#!/bin/sh\n"
	tests := []struct {
		name     string
		files    map[string]os.FileMode // a path that ends in / is a directory
		links    map[string]string
		want     []string
		findings map[string]FindingKind
	}{
		{name: "nothing"},
		{
			name:  "main script only",
			files: map[string]os.FileMode{"network": 0o755, "qemu": 0o755, "networks": 0o755},
			want:  []string{"network"},
		},
		{
			name:  "any x bit will do",
			files: map[string]os.FileMode{"network": 0o610},
			want:  []string{"network"},
		},
		{
			name:     "not executable",
			files:    map[string]os.FileMode{"network": 0o644, "network.d/": 0o755, "network.d/a": 0o755, "network.d/README": 0o644},
			want:     []string{"network.d/a"},
			findings: map[string]FindingKind{"network": NonExecutable, "network.d/README": NonExecutable},
		},
		{
			name: "byte order",
			files: map[string]os.FileMode{
				"network.d/": 0o755, "network": 0o755,
				"network.d/b": 0o755, "network.d/B": 0o755, "network.d/10": 0o755, "network.d/9": 0o755,
				"network.d/ä": 0o755, "network.d/a b": 0o755, "network.d/a": 0o755, "network.d/~a": 0o755,
			},
			want: []string{
				"network", "network.d/10", "network.d/9", "network.d/B", "network.d/a", "network.d/a b",
				"network.d/b", "network.d/~a", "network.d/ä",
			},
		},
		{
			name: "leftovers",
			files: map[string]os.FileMode{
				"network.d/": 0o755, "network.d/50-vlan": 0o755,
				"network.d/50-vlan~": 0o755, "network.d/50-vlan.bak": 0o755, "network.d/50-vlan.orig": 0o755,
				"network.d/50-vlan.rej": 0o755, "network.d/50-vlan.dpkg-old": 0o755, "network.d/50-vlan.dpkg-new": 0o755,
				"network.d/50-vlan.dpkg-dist": 0o755, "network.d/50-vlan.dpkg-tmp": 0o755, "network.d/50-vlan.rpmsave": 0o755,
				"network.d/50-vlan.rpmnew": 0o755, "network.d/50-vlan.rpmorig": 0o755, "network.d/50-vlan.ucf-dist": 0o755,
				"network.d/#50-vlan#": 0o755, "network.d/.50-vlan.swp": 0o755, "network.d/50-vlan.swo": 0o755,
				"network.d/.hidden": 0o755, "network.d/50-vlan;5f3a9c01": 0o755, "network.d/.dull": 0o644,
			},
			want: []string{"network.d/50-vlan"},
			findings: map[string]FindingKind{
				"network.d/50-vlan~": Leftover, "network.d/50-vlan.bak": Leftover, "network.d/50-vlan.orig": Leftover,
				"network.d/50-vlan.rej": Leftover, "network.d/50-vlan.dpkg-old": Leftover, "network.d/50-vlan.dpkg-new": Leftover,
				"network.d/50-vlan.dpkg-dist": Leftover, "network.d/50-vlan.dpkg-tmp": Leftover, "network.d/50-vlan.rpmsave": Leftover,
				"network.d/50-vlan.rpmnew": Leftover, "network.d/50-vlan.rpmorig": Leftover, "network.d/50-vlan.ucf-dist": Leftover,
				"network.d/#50-vlan#": Leftover, "network.d/.50-vlan.swp": Leftover, "network.d/50-vlan.swo": Leftover,
				"network.d/.hidden": Leftover, "network.d/50-vlan;5f3a9c01": Leftover,
			},
		},
		{
			name:  "links are followed",
			files: map[string]os.FileMode{"real": 0o755, "network.d/": 0o755},
			links: map[string]string{"network": "real", "network.d/x": "../real", "network.d/lost": "nowhere", "network.d/.#x": "u@h.1"},
			want:  []string{"network", "network.d/x"},
			findings: map[string]FindingKind{
				"network.d/lost": Dangling,
			},
		},
		{
			name:     "dangling main script",
			links:    map[string]string{"network": "nowhere"},
			findings: map[string]FindingKind{"network": Dangling},
		},
		{
			name:     "a directory in the script's place",
			files:    map[string]os.FileMode{"network/": 0o755, "network.d/": 0o755, "network.d/off/": 0o755},
			findings: map[string]FindingKind{"network": NotAFile},
		},
		{
			name:     "a file in the directory's place",
			files:    map[string]os.FileMode{"network": 0o755, "network.d": 0o755},
			want:     []string{"network"},
			findings: map[string]FindingKind{"network.d": NotAFile},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tempDir(t)
			for _, name := range slices.Sorted(maps.Keys(tt.files)) {
				if strings.HasSuffix(name, "/") {
					if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
						t.Fatal(err)
					}
				}
			}
			for name, mode := range tt.files {
				if !strings.HasSuffix(name, "/") {
					write(t, filepath.Join(dir, name), sh, mode)
				}
			}
			for name, target := range tt.links {
				if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			h := &Hooks{Dir: dir, Name: "network"}
			paths, findings, err := h.Scripts()
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, path := range paths {
				got = append(got, strings.TrimPrefix(path, dir+"/"))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("scripts (-want +got):\n%s", diff)
			}
			var kinds map[string]FindingKind
			for _, f := range findings {
				if kinds == nil {
					kinds = map[string]FindingKind{}
				}
				kinds[strings.TrimPrefix(f.Path, dir+"/")] = f.Kind
			}
			if diff := cmp.Diff(tt.findings, kinds); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestScriptsMissingDirectory(t *testing.T) {
	dir := tempDir(t)
	write(t, dir+"/file", "", 0o755)
	for _, missing := range []string{dir + "/none", dir + "/none/deeper", dir + "/file"} {
		paths, findings, err := (&Hooks{Dir: missing, Name: "network"}).Scripts()
		if len(paths) != 0 || len(findings) != 0 || err != nil {
			t.Errorf("%s: %v, %v, %v, want nothing", missing, paths, findings, err)
		}
	}
}

func TestScriptsCannotLook(t *testing.T) {
	dir := tempDir(t)
	if err := os.Symlink("loop", dir+"/loop"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"hooks", "", dir + "/loop"} {
		h := &Hooks{Dir: bad, Name: "network"}
		_, _, err := h.Scripts()
		var ours *RunError
		if !errors.As(err, &ours) || ours.Kind != NotStarted {
			t.Errorf("Scripts in %q: %v, want a RunError", bad, err)
		}
		// A call must not take this for a hook without scripts.
		if o := run(t, h, Invocation{}); o.Err == nil || o.Pid != 0 || o.ExitCode != -1 {
			t.Errorf("Run in %q: %+v, want an error", bad, o)
		}
	}
	_, _, err := (&Hooks{Dir: dir + "/loop", Name: "network"}).Scripts()
	if !errors.Is(err, syscall.ELOOP) {
		t.Errorf("%v, want ELOOP", err)
	}
}

func TestFindingText(t *testing.T) {
	dir := tempDir(t)
	path := write(t, dir+"/network", "#!/bin/sh\n", 0o644)
	_, findings, err := (&Hooks{Dir: dir, Name: "network"}).Scripts()
	if err != nil || len(findings) != 1 {
		t.Fatal(findings, err)
	}
	want := "Non-executable hook script " + path + "; remedy: chmod a+x " + path
	if got := findings[0].String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for kind, want := range map[FindingKind]string{
		NotAFile: "hook script /h/network is not a regular file",
		Dangling: "hook script /h/network is a symbolic link to nothing",
		Leftover: "skipped /h/network: by its name a leftover of an editor or package manager",
	} {
		if got := (Finding{Path: "/h/network", Kind: kind}).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/libvirt/hooks/network": "/etc/libvirt/hooks/network",
		"/a b":                       "'/a b'",
		"/it's":                      `'/it'\''s'`,
		"/$(reboot)":                 "'/$(reboot)'",
		"/ä":                         "'/ä'",
		"/a\nb":                      `$'/a\x0ab'`,
		"/a'\t\xff":                  `$'/a\'\x09\xff'`,
		"":                           "''",
	} {
		if got := Quote(path); got != want {
			t.Errorf("Quote(%q) = %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{"/a b": "/a b", "/a\nb": `"/a\nb"`, "": `""`} {
		if got := show(path); got != want {
			t.Errorf("show(%q) = %s, want %s", path, got, want)
		}
	}
}
