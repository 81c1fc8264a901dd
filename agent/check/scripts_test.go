package check

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each fault that a script can have is found, and gone after its remedy.
func TestScriptFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		text   string
		mode   os.FileMode
		make   func(t *testing.T, path string)
		id     ID
		says   string
		remedy string // with PATH
	}{
		{name: "not executable", mode: 0o644, id: ScriptMode, says: "not executable", remedy: "chmod a+x PATH"},
		{name: "writable by others", mode: 0o757, id: ScriptMode, says: "writable by others", remedy: "chmod o-w PATH"},
		{name: "somebody else's", make: func(t *testing.T, path string) { chown(t, path, 1234) },
			id: ScriptOwner, says: "belongs to uid 1234", remedy: "chown root:root PATH"},
		{name: "in somebody else's directory", make: func(t *testing.T, path string) { chown(t, filepath.Dir(path), 1234) },
			id: ScriptOwner, says: "belongs to uid 1234", remedy: "chown root:root DIR"},
		{name: "no first line", text: "echo\n", id: ScriptShebang, says: "no #! line", remedy: "sed -i '1i #!/bin/sh' PATH"},
		{name: "no interpreter named", text: "#!\necho\n", id: ScriptShebang, says: "names no interpreter", remedy: "sed -i '1s|.*|#!/bin/sh|' PATH"},
		{name: "byte order mark", text: "\xef\xbb\xbf#!/bin/sh\n", id: ScriptShebang, says: "byte order mark", remedy: `sed -i '1s/^\xef\xbb\xbf//' PATH`},
		{name: "CR LF", text: "#!/bin/sh\r\necho\r\n", id: ScriptCRLF, says: "CR LF", remedy: `sed -i 's/\r$//' PATH`},
		{name: "CR LF after an option", text: "#!/bin/sh -e\r\necho\r\n", id: ScriptCRLF, says: "CR LF", remedy: `sed -i 's/\r$//' PATH`},
		{name: "link to nothing", make: func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("/no/where", path); err != nil {
				t.Fatal(err)
			}
		}, id: Script, says: "link to nothing: /no/where", remedy: "rm PATH"},
		{name: "directory", make: func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
		}, id: Script, says: "not a regular file", remedy: "mv PATH PATH.old"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := trustedDir(t)
			path := filepath.Join(dir, "network")
			if tt.text == "" {
				tt.text = "#!/bin/sh\n"
			}
			if tt.mode == 0 {
				tt.mode = 0o755
			}
			write(t, path, tt.text, tt.mode)
			if tt.make != nil {
				tt.make(t, path)
			}
			mended(t, tt.id, Problem, tt.says, replace(tt.remedy, path, dir), func() []Finding { return scriptFindings(dir) })
		})
	}
}

func replace(text, path, dir string) string {
	return strings.NewReplacer("PATH", path, "DIR", dir).Replace(text)
}

func scriptFindings(dir string) []Finding {
	_, found := checkScripts(dir)
	return found
}

func chown(t *testing.T, path string, uid int) {
	t.Helper()
	if err := os.Chown(path, uid, 0); err != nil {
		t.Fatalf("this test gives files away and needs root: %v", err)
	}
}

// An interpreter that is not there has no command that mends it.
func TestInterpreterMissing(t *testing.T) {
	dir := trustedDir(t)
	path := filepath.Join(dir, "network")
	write(t, path, "#!/no/such/perl -w\n", 0o755)
	f := mustFind(t, ScriptShebang, Problem, scriptFindings(dir))
	if want := path + ": the interpreter in its first line is missing: /no/such/perl"; f.Text != want {
		t.Errorf("%q, want %q", f.Text, want)
	}
	if !f.advised() {
		t.Errorf("%q looks like a command", f.Remedy)
	}
	write(t, path, "#!/bin/sh\n", 0o755)
	mustNotFind(t, ScriptShebang, Problem, scriptFindings(dir))
}

func TestNoexecMount(t *testing.T) {
	privateMounts(t)
	dir := trustedDir(t)
	mountOn(t, dir, "tmpfs", "tmpfs", unix.MS_NOEXEC, "mode=755")
	write(t, filepath.Join(dir, "network"), "#!/bin/sh\n", 0o755)
	mended(t, ScriptNoexec, Problem, "mounted noexec", "mount -o remount,exec "+dir, func() []Finding { return scriptFindings(dir) })
}

// In the directory of further scripts, what is not executable may be meant so.
func TestFurtherScripts(t *testing.T) {
	dir := trustedDir(t)
	write(t, filepath.Join(dir, "network.d/10-off"), "#!/bin/sh\n", 0o644)
	write(t, filepath.Join(dir, "network.d/20-on"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "network.d/20-on.rpmsave"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "network.d/20-on~"), "#!/bin/sh\n", 0o755)
	all := scriptFindings(dir)
	if f := mustFind(t, Script, OK, all); f.Subject != filepath.Join(dir, "network.d/20-on") {
		t.Errorf("%+v", f)
	}
	mustFind(t, ScriptMode, Warning, all)
	for range 2 {
		f := mustFind(t, ScriptSkipped, Warning, scriptFindings(dir))
		run(t, f.Remedy)
	}
	mustNotFind(t, ScriptSkipped, Warning, scriptFindings(dir))
}

func TestNoScript(t *testing.T) {
	mustFind(t, Script, Warning, scriptFindings(trustedDir(t)))
}

func TestHookDirFaults(t *testing.T) {
	for _, tt := range []struct {
		name   string
		make   func(t *testing.T, dir string)
		level  Level
		says   string
		remedy string // with DIR
	}{
		{"missing", func(t *testing.T, dir string) {}, Warning, "does not exist", "install -d -m 0755 DIR"},
		{"a file", func(t *testing.T, dir string) { write(t, dir, "", 0o644) }, Problem, "not a directory", "mv DIR DIR.old && install -d -m 0755 DIR"},
		{"writable by all", func(t *testing.T, dir string) { mkdir(t, dir, 0o777) }, Problem, "writable by others", "chmod o-w DIR"},
		{"somebody else's", func(t *testing.T, dir string) { mkdir(t, dir, 0o755); chown(t, dir, 1234) }, Problem, "uid 1234", "chown root:root DIR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(trustedDir(t), "hooks")
			tt.make(t, dir)
			mended(t, HookDir, tt.level, tt.says, replace(tt.remedy, "", dir), func() []Finding { return checkHookDir(dir) })
			mustFind(t, HookDir, OK, checkHookDir(dir))
		})
	}
}

func mkdir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}

// Scripts where nobody looks for them, while there is none where they belong.
func TestScriptsElsewhere(t *testing.T) {
	dir := trustedDir(t)
	other := trustedDir(t)
	look := func() []Finding { return checkPlaces(dir, []string{other}) }
	write(t, filepath.Join(other, "network"), "#!/bin/sh\n", 0o755)
	mended(t, ScriptPlace, Warning, filepath.Join(other, "network"), "cp -p "+filepath.Join(other, "network")+" "+filepath.Join(dir, "network"), look)

	run(t, "rm "+filepath.Join(dir, "network"))
	write(t, filepath.Join(other, "network"), "", 0o644)
	run(t, "rm "+filepath.Join(other, "network"))
	write(t, filepath.Join(dir, "network.rpmsave"), "#!/bin/sh\n", 0o755)
	mended(t, ScriptSkipped, Warning, "put aside", "mv "+filepath.Join(dir, "network.rpmsave")+" "+filepath.Join(dir, "network"), look)
}
