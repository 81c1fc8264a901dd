package check

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const selinuxfs = "/sys/fs/selinux"

// strangeTypes are labels that a file brings along when it is moved to the hook
// directory, or that it has when none was given. libvirtd may not run such files.
var strangeTypes = []string{"admin_home_t", "user_home_t", "home_root_t", "user_tmp_t", "tmp_t", "default_t", "unlabeled_t", "file_t", "mnt_t"}

// checkSELinux looks at the labels of the scripts, where SELinux is on.
func checkSELinux(ctx context.Context, scripts []string) []Finding {
	mode, err := os.ReadFile(selinuxfs + "/enforce")
	if err != nil {
		return nil // not on this host
	}
	how := "permissive"
	if strings.TrimSpace(string(mode)) == "1" {
		how = "enforcing"
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // for all scripts
	defer cancel()
	all := []Finding{ok(SELinux, "", "SELinux is "+how)}
	for _, path := range scripts {
		label := labelOf(path)
		wanted, tells := wantedLabel(ctx, path)
		switch {
		case label == "":
			all = append(all, warning(SELinux, path, path+" has no label: libvirtd may not run it where SELinux is enforcing", "restorecon -v "+word(path)))
		case tells && wanted != "" || !tells && strange(label):
			text := fmt.Sprintf("%s has the label %s", path, label)
			if wanted != "" {
				text += ", the policy says " + wanted
			}
			all = append(all, warning(SELinux, path, text+": libvirtd may not run it where SELinux is enforcing", "restorecon -v "+word(path)))
		default:
			all = append(all, ok(SELinux, path, path+" has the label "+label))
		}
	}
	return all
}

func strange(label string) bool {
	fields := strings.Split(label, ":")
	for _, t := range strangeTypes {
		if len(fields) > 2 && fields[2] == t {
			return true
		}
	}
	return false
}

func labelOf(path string) string {
	value := make([]byte, 256)
	n, err := unix.Getxattr(path, "security.selinux", value)
	if err != nil || n <= 0 {
		return ""
	}
	return string(bytes.TrimRight(value[:n], "\x00"))
}

// wantedLabel asks the host's restorecon which label it would give to a file,
// empty if the one that it has. tells is false where there is no such program.
func wantedLabel(ctx context.Context, path string) (label string, tells bool) {
	restorecon := program("restorecon")
	if restorecon == "" {
		return "", false
	}
	cmd := exec.CommandContext(ctx, restorecon, "-n", "-v", path)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", false
	}
	// "Would relabel PATH from OLD to NEW", or "restorecon reset PATH context OLD->NEW"
	text := strings.TrimSpace(string(out))
	if i := max(strings.LastIndex(text, " to ")+len(" to "), strings.LastIndex(text, "->")+len("->")); text != "" && i < len(text) {
		return text[i:], true
	}
	return "", true
}
