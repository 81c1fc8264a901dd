package exec

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTrust(t *testing.T) {
	needRoot(t)
	const other = 4242 // a user and group who are not root

	must := func(t *testing.T, errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	// Each test starts with the trusted DIR/etc/hooks/network. In refused and remedy,
	// DIR stands for that directory; the script is DIR/etc/hooks/network.
	tests := []struct {
		name    string
		prepare func(t *testing.T, dir string)
		euid    int
		refused string // a part of the reason; empty: trusted
		remedy  string
	}{
		{name: "all root's"},
		{
			name:    "script of another user",
			prepare: func(t *testing.T, dir string) { must(t, os.Chown(dir+"/etc/hooks/network", other, 0)) },
			refused: "it belongs to uid 4242",
			remedy:  "chown root:root DIR/etc/hooks/network",
		},
		{
			name:    "script of the agent's own user",
			prepare: func(t *testing.T, dir string) { must(t, os.Chown(dir+"/etc/hooks/network", other, other)) },
			euid:    other,
		},
		{
			name:    "a third user's, for a non-root agent",
			prepare: func(t *testing.T, dir string) { must(t, os.Chown(dir+"/etc/hooks", other+1, 0)) },
			euid:    other,
			refused: "DIR/etc/hooks belongs to uid 4243",
			remedy:  "chown 4242 DIR/etc/hooks",
		},
		{
			name:    "parent directory of another user",
			prepare: func(t *testing.T, dir string) { must(t, os.Chown(dir+"/etc", other, 0)) },
			refused: "DIR/etc belongs to uid 4242",
			remedy:  "chown root:root DIR/etc",
		},
		{
			name:    "script writable by others",
			prepare: func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/etc/hooks/network", 0o757)) },
			refused: "it is writable by others (mode 0757)",
			remedy:  "chmod o-w DIR/etc/hooks/network",
		},
		{
			name: "script writable by a group and others",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chown(dir+"/etc/hooks/network", 0, other), os.Chmod(dir+"/etc/hooks/network", 0o777))
			},
			refused: "it is writable by its group 4242 and by others (mode 0777)",
			remedy:  "chmod go-w DIR/etc/hooks/network",
		},
		{
			name: "directory writable by a group",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chown(dir+"/etc/hooks", 0, other), os.Chmod(dir+"/etc/hooks", 0o775))
			},
			refused: "DIR/etc/hooks is writable by its group 4242 (mode 0775)",
			remedy:  "chmod g-w DIR/etc/hooks",
		},
		{
			name:    "directory writable by root's group",
			prepare: func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/etc/hooks", 0o775)) },
		},
		{
			name:    "directory writable by others",
			prepare: func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/etc", 0o777)) },
			refused: "DIR/etc is writable by others (mode 0777)",
			remedy:  "chmod o-w DIR/etc",
		},
		{
			name:    "sticky directory of root's",
			prepare: func(t *testing.T, dir string) { must(t, os.Chmod(dir+"/etc", 0o777|os.ModeSticky)) },
		},
		{
			name: "sticky directory of another user",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chmod(dir+"/etc", 0o777|os.ModeSticky), os.Chown(dir+"/etc", other, 0))
			},
			refused: "DIR/etc belongs to uid 4242",
			remedy:  "chown root:root DIR/etc",
		},
		{
			name: "another user's entry in a sticky directory",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chmod(dir+"/etc", 0o777|os.ModeSticky), os.Chown(dir+"/etc/hooks", other, 0))
			},
			refused: "DIR/etc/hooks belongs to uid 4242",
			remedy:  "chown root:root DIR/etc/hooks",
		},
		{
			name: "sticky script is nothing special",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chmod(dir+"/etc/hooks/network", 0o757|os.ModeSticky))
			},
			refused: "it is writable by others (mode 1757)",
			remedy:  "chmod o-w DIR/etc/hooks/network",
		},
		{
			name: "hard link in a sticky directory",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Chmod(dir+"/etc/hooks", 0o777|os.ModeSticky), os.Link(dir+"/etc/hooks/network", dir+"/etc/other"))
			},
			refused: "it has other names and lies in DIR/etc/hooks",
			remedy:  "cp -p DIR/etc/hooks/network DIR/etc/hooks/network.new && mv DIR/etc/hooks/network.new DIR/etc/hooks/network",
		},
		{
			name: "hard link elsewhere",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Link(dir+"/etc/hooks/network", dir+"/etc/other"))
			},
		},
		{
			name: "link to a trusted file",
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/opt/script", "", 0o755)
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink("../../opt/./script", dir+"/etc/hooks/network"))
			},
		},
		{
			name: "link's target in an untrusted directory",
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/opt/script", "", 0o755)
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink(dir+"/opt/script", dir+"/etc/hooks/network"),
					os.Chown(dir+"/opt", other, 0))
			},
			refused: "DIR/opt belongs to uid 4242",
			remedy:  "chown root:root DIR/opt",
		},
		{
			name: "untrusted target",
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/opt/script", "", 0o757)
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink("../../opt/script", dir+"/etc/hooks/network"))
			},
			refused: "DIR/opt/script is writable by others (mode 0757)",
			remedy:  "chmod o-w DIR/opt/script",
		},
		{
			name: "link of another user",
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/opt/script", "", 0o755)
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink("../../opt/script", dir+"/etc/hooks/network"),
					os.Lchown(dir+"/etc/hooks/network", other, 0))
			},
			refused: "it belongs to uid 4242",
			remedy:  "chown -h root:root DIR/etc/hooks/network",
		},
		{
			name: "untrusted directory that only a link passes through",
			prepare: func(t *testing.T, dir string) {
				write(t, dir+"/opt/script", "", 0o755)
				must(t, os.Mkdir(dir+"/opt/x", 0o755), os.Chmod(dir+"/opt/x", 0o777),
					os.Remove(dir+"/etc/hooks/network"), os.Symlink("../../opt/x/../script", dir+"/etc/hooks/network"))
			},
			refused: "DIR/opt/x is writable by others (mode 0777)",
			remedy:  "chmod o-w DIR/opt/x",
		},
		{
			name: "linked directory",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Rename(dir+"/etc/hooks", dir+"/hooks"), os.Symlink("../hooks", dir+"/etc/hooks"),
					os.Chmod(dir+"/hooks", 0o777))
			},
			refused: "DIR/hooks is writable by others (mode 0777)",
			remedy:  "chmod o-w DIR/hooks",
		},
		{
			name: "link loop",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink("network", dir+"/etc/hooks/network"))
			},
			refused: "too many levels of symbolic links",
		},
		{
			name: "link to nothing",
			prepare: func(t *testing.T, dir string) {
				must(t, os.Remove(dir+"/etc/hooks/network"), os.Symlink("/nowhere/at/all", dir+"/etc/hooks/network"))
			},
			refused: "/nowhere does not exist",
		},
		{
			name:    "vanished",
			prepare: func(t *testing.T, dir string) { must(t, os.Remove(dir+"/etc/hooks/network")) },
			refused: "it does not exist any more",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := tempDir(t)
			must(t, os.Mkdir(dir+"/etc", 0o755))
			path := write(t, dir+"/etc/hooks/network", "#!/bin/sh\n", 0o755)
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			got := trust(path, tt.euid)
			if tt.refused == "" {
				if got != nil {
					t.Errorf("refused: %v", got)
				}
				return
			}
			if got == nil {
				t.Fatal("trusted")
			}
			if want := strings.ReplaceAll(tt.refused, "DIR", dir); !strings.Contains(got.Reason, want) {
				t.Errorf("reason %q, want %q", got.Reason, want)
			}
			if want := strings.ReplaceAll(tt.remedy, "DIR", dir); got.Remedy != want {
				t.Errorf("remedy %q, want %q", got.Remedy, want)
			}
			if got.Path != path {
				t.Errorf("path %q, want %q", got.Path, path)
			}
		})
	}
}

// The mask of an ACL shows in the group's bits; root's group is no excuse then.
func TestTrustACL(t *testing.T) {
	needRoot(t)
	dir := tempDir(t)
	path := write(t, dir+"/network", "#!/bin/sh\n", 0o755)
	// Version 2; user::rwx user:4242:rwx group::r-x mask::rwx other::r-x
	acl := "\x02\x00\x00\x00" +
		"\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x92\x10\x00\x00" + "\x04\x00\x05\x00\xff\xff\xff\xff" +
		"\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x05\x00\xff\xff\xff\xff"
	if err := unix.Setxattr(path, "system.posix_acl_access", []byte(acl), 0); err != nil {
		t.Skipf("the file system has no ACLs: %v", err)
	}
	got := trust(path, 0)
	if got == nil || !strings.Contains(got.Reason, "ACL") {
		t.Fatalf("got %v, want a refusal for the ACL", got)
	}
	if want := "setfacl -b " + path + " && chmod g-w " + path; got.Remedy != want {
		t.Errorf("remedy %q, want %q", got.Remedy, want)
	}
}

func TestTrustExported(t *testing.T) {
	path := write(t, tempDir(t)+"/network", "#!/bin/sh\n", 0o755)
	if err := Trust(path); err != nil {
		t.Errorf("own file: %v", err)
	}
	if err := Trust("network"); err == nil {
		t.Error("relative path trusted")
	}
	if err := Trust(path + "/deeper"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("%v, want ENOTDIR", err)
	}
}

// A refused script has no process, and the message can be acted on.
func TestRunRefused(t *testing.T) {
	h := hooks(t, "touch ../ran")
	path := filepath.Join(h.Dir, "network")
	if err := os.Chmod(path, 0o757); err != nil {
		t.Fatal(err)
	}
	o := run(t, h, Invocation{})
	var ours *RunError
	if !errors.As(o.Err, &ours) || ours.Kind != Refused || o.Pid != 0 || o.ExitCode != -1 {
		t.Fatalf("%+v, want refused", o)
	}
	want := "hook script " + path + " refused: it is writable by others (mode 0757); remedy: chmod o-w " + path
	if ours.Error() != want {
		t.Errorf("got  %v\nwant %s", ours, want)
	}
}
