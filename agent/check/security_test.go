package check

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func selinuxFindings(scripts ...string) []Finding { return checkSELinux(context.Background(), scripts) }

func label(t *testing.T, path, label string) {
	t.Helper()
	if err := unix.Setxattr(path, "security.selinux", append([]byte(label), 0), 0); err != nil {
		t.Fatal(err)
	}
}

// enforceSELinux makes the test's thread see a host with SELinux, without its
// programs.
func enforceSELinux(t *testing.T) {
	t.Helper()
	privateMounts(t)
	tmpfs(t, "/sys/fs", "")
	write(t, selinuxfs+"/enforce", "1", 0o644)
}

func TestWithoutSELinux(t *testing.T) {
	privateMounts(t)
	tmpfs(t, "/sys/fs", "")
	if all := selinuxFindings("/bin/sh"); all != nil {
		t.Errorf("%+v", all)
	}
}

// A script that was moved here from root's home.
func TestSELinuxLabel(t *testing.T) {
	enforceSELinux(t)
	if program("restorecon") != "" {
		mountOn(t, program("restorecon"), "/dev/null", "", unix.MS_BIND, "")
	}
	path := filepath.Join(trustedDir(t), "network")
	write(t, path, "#!/bin/sh\n", 0o755)
	if f := mustFind(t, SELinux, Warning, selinuxFindings(path)); !strings.Contains(f.Text, "no label") {
		t.Errorf("%+v", f)
	}
	label(t, path, "unconfined_u:object_r:admin_home_t:s0")
	f := mustFind(t, SELinux, Warning, selinuxFindings(path))
	if !strings.Contains(f.Text, "admin_home_t") || f.Remedy != "restorecon -v "+path {
		t.Errorf("%+v", f)
	}
	label(t, path, "system_u:object_r:virt_etc_t:s0") // as restorecon does
	all := selinuxFindings(path)
	mustNotFind(t, SELinux, Warning, all)
	if f := mustFind(t, SELinux, OK, all); f.Text != "SELinux is enforcing" {
		t.Errorf("%+v", f)
	}
}

// Where the host has restorecon, its policy decides.
func TestSELinuxPolicy(t *testing.T) {
	enforceSELinux(t)
	tmpfs(t, "/usr/local/sbin", "mode=755")
	for _, dir := range programDirs {
		if path := filepath.Join(dir, "restorecon"); dir != "/usr/local/sbin" && isFile(path) {
			mountOn(t, path, "/dev/null", "", unix.MS_BIND, "")
		}
	}
	write(t, "/usr/local/sbin/restorecon", `#!/bin/sh
[ "$1" = -n ] || { touch /usr/local/sbin/mended; exit; }
[ -e /usr/local/sbin/mended ] || echo "Would relabel $3 from a:b:odd_t:s0 to system_u:object_r:virt_etc_t:s0"
`, 0o755)
	path := filepath.Join(trustedDir(t), "network")
	write(t, path, "#!/bin/sh\n", 0o755)
	label(t, path, "a:b:odd_t:s0")
	t.Setenv("PATH", "/usr/local/sbin:"+os.Getenv("PATH"))
	mended(t, SELinux, Warning, "has the label a:b:odd_t:s0, the policy says system_u:object_r:virt_etc_t:s0", "restorecon -v "+path,
		func() []Finding { return selinuxFindings(path) })
}

func TestWithoutAppArmor(t *testing.T) {
	privateMounts(t)
	tmpfs(t, "/sys/module", "")
	if all := checkAppArmor("/etc/libvirt/hooks", 0); all != nil {
		t.Errorf("%+v", all)
	}
}

// A profile for hookbridge itself also holds for the scripts.
func TestAppArmorProfile(t *testing.T) {
	privateMounts(t)
	tmpfs(t, "/sys/module", "")
	tmpfs(t, "/sys/kernel/security", "")
	write(t, "/sys/module/apparmor/parameters/enabled", "Y\n", 0o644)
	profiles := "/sys/kernel/security/apparmor/profiles"
	write(t, profiles, "libvirtd (enforce)\n/usr/bin/hookbridge (enforce)\n", 0o644)
	look := func() []Finding { return checkAppArmor("/etc/libvirt/hooks", 0) }
	tmpfs(t, "/usr/local/sbin", "mode=755")
	t.Setenv("PATH", "/usr/local/sbin:"+os.Getenv("PATH"))
	write(t, "/usr/local/sbin/aa-complain", "#!/bin/sh\nsed -i \"s|^$1 .*|$1 (complain)|\" "+profiles+"\n", 0o755)
	mended(t, AppArmor, Warning, "/usr/bin/hookbridge is enforced", "aa-complain /usr/bin/hookbridge", look)
	mustFind(t, AppArmor, OK, look())
}
