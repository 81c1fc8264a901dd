package testhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bootPatience bounds the wait for a guest's system: an emulated processor on
// a busy machine is slow.
const bootPatience = 180 * time.Second

// guestReady is what a guest's system writes to its serial port when it is up.
const guestReady = "guest is ready"

// guestInit is the whole system of a bootable guest besides its kernel. What it
// is for, the answer to an ACPI request to give a device back, the kernel does
// by itself. The Enter key turns the guest off; it is ready when a key that is pressed
// once does not get lost: the kernel finds the keyboard beside all else. Without one it can
// do all but be turned off from inside.
const guestInit = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
exec </dev/tty1
for _ in 1 2 3 4 5 6 7 8 9; do
	/bin/busybox grep -qi keyboard /proc/bus/input/devices && break
	echo 'guest waits for its keyboard' >/dev/ttyS0
	/bin/busybox sleep 1
done
echo '` + guestReady + `' >/dev/ttyS0
while ! read -r _; do /bin/busybox sleep 1; done
/bin/busybox poweroff -f
`

// BootGuest defines a persistent guest with a system that answers when libvirt
// asks for a device back, starts it, and waits until it is up: about five
// seconds. The kernel is that of HOOKBRIDGE_TEST_KERNEL, or the newest of the
// machine, or Debian's, downloaded once.
func (h *Host) BootGuest(t testing.TB, g Guest) {
	t.Helper()
	serial := h.prepareBoot(t, &g)
	h.StartGuest(t, g)
	h.awaitBoot(t, serial)
}

func (h *Host) prepareBoot(t testing.TB, g *Guest) (serial string) {
	t.Helper()
	kernel, err := guestKernel()
	if err != nil {
		t.Fatalf("testhost: a kernel for the guest: %v", err)
	}
	initrd := filepath.Join(h.scratch, "initrd")
	if err := writeInitrd(initrd); err != nil {
		t.Fatalf("testhost: a system for the guest: %v", err)
	}
	g.Kernel, g.Initrd, g.Serial = kernel, initrd, h.serialFile(g.Name)
	g.Cmdline = strings.TrimSpace("console=ttyS0 quiet nokaslr mitigations=off tsc=reliable no_timer_check reboot=k panic=-1 " + g.Cmdline)
	if g.Memory == 0 {
		g.Memory = 128
	}
	return g.Serial
}

func (h *Host) serialFile(guest string) string {
	return filepath.Join(h.scratch, "serial", guest+".log")
}

func (h *Host) awaitBoot(t testing.TB, serial string) {
	t.Helper()
	var seen []byte
	err := awaitDir(filepath.Dir(serial), bootPatience, func() (bool, error) {
		var err error
		seen, err = os.ReadFile(serial)
		if errors.Is(err, os.ErrNotExist) {
			return false, nil
		}
		return bytes.Contains(seen, []byte(guestReady)), err
	})
	if err != nil {
		t.Fatalf("testhost: waiting for the guest's system: %v; its console:\n%s", err, seen)
	}
}

// PowerOffFromInside makes the system of a guest that [Host.BootGuest] started
// turn itself off, and does not wait for it.
func (h *Host) PowerOffFromInside(t testing.TB, guest string) {
	t.Helper()
	h.Virsh(t, "send-key", "--domain", guest, "KEY_ENTER")
}

// RebootFromInside makes the system of a guest that [Host.BootGuest] started
// reboot, and waits until it is up again.
func (h *Host) RebootFromInside(t testing.TB, guest string) {
	t.Helper()
	serial := h.serialFile(guest)
	before, err := os.ReadFile(serial)
	if err != nil {
		t.Fatalf("testhost: %v", err)
	}
	boots := bytes.Count(before, []byte(guestReady))
	h.Virsh(t, "send-key", "--domain", guest, "KEY_LEFTCTRL", "KEY_LEFTALT", "KEY_DELETE")
	err = awaitDir(filepath.Dir(serial), bootPatience, func() (bool, error) {
		seen, err := os.ReadFile(serial)
		return bytes.Count(seen, []byte(guestReady)) > boots, err
	})
	if err != nil {
		t.Fatalf("testhost: waiting for the guest's reboot: %v", err)
	}
}

// writeInitrd writes the root file system of a bootable guest.
func writeInitrd(path string) error {
	busybox, err := staticBusybox()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for i, f := range []struct {
		name string
		mode int
		data []byte
	}{
		{"bin", unix.S_IFDIR | 0o755, nil},
		{"proc", unix.S_IFDIR | 0o755, nil},
		{"sys", unix.S_IFDIR | 0o755, nil},
		{"dev", unix.S_IFDIR | 0o755, nil},
		{"bin/busybox", unix.S_IFREG | 0o755, busybox},
		{"init", unix.S_IFREG | 0o755, []byte(guestInit)},
		{"TRAILER!!!", 0, nil},
	} {
		// The "newc" form of cpio, which the kernel unpacks: a header of
		// hexadecimal fields, then the name and the content, each padded.
		fmt.Fprintf(&b, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			i+1, f.mode, 0, 0, 1, 0, len(f.data), 0, 0, 0, 0, len(f.name)+1, 0, f.name)
		pad(&b)
		b.Write(f.data)
		pad(&b)
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}

// staticBusybox returns the program that guests and containers consist of.
func staticBusybox() ([]byte, error) {
	path, err := lookPath("busybox")
	if err != nil {
		return nil, errors.New("busybox is not installed (Debian: busybox-static)")
	}
	program, err := os.ReadFile(path)
	if err == nil && bytes.Contains(program, []byte("/ld-linux")) {
		err = fmt.Errorf("%s needs shared libraries; install one that does not (Debian: busybox-static)", path)
	}
	return program, err
}

// guestKernel returns the path of a kernel with serial console, PCI hot-plug by ACPI, a
// virtual terminal and the AT keyboard built in, as all distributions' kernels have it.
func guestKernel() (string, error) {
	if k := os.Getenv("HOOKBRIDGE_TEST_KERNEL"); k != "" {
		_, err := os.Stat(k)
		return k, err
	}
	// One download, however many test binaries run.
	unlock, err := lockCache("vmlinuz")
	if err != nil {
		return "", err
	}
	defer unlock()
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	kept := filepath.Join(cache, "vmlinuz")
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if own, _ := filepath.Glob("/boot/vmlinuz-*"); len(own) > 0 {
		return newest(own), nil
	}
	return kept, downloadKernel(kept)
}

func newest(files []string) string {
	return slices.MaxFunc(files, func(a, b string) int {
		fa, errA := os.Stat(a)
		fb, errB := os.Stat(b)
		if errA != nil || errB != nil {
			return strings.Compare(a, b)
		}
		return fa.ModTime().Compare(fb.ModTime())
	})
}

// downloadKernel fetches Debian's smallest kernel with apt and puts it to path.
func downloadKernel(path string) error {
	const meta = "linux-image-cloud-amd64"
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp(filepath.Dir(path), "kernel-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", meta).Output()
	if err != nil {
		return fmt.Errorf("apt-cache depends %s: %w (or name a kernel in HOOKBRIDGE_TEST_KERNEL)", meta, err)
	}
	for _, line := range strings.Split(string(out), "\n") {
		name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: ")
		if !ok || !strings.HasPrefix(name, "linux-image-") {
			continue
		}
		get := exec.CommandContext(ctx, "apt-get", "download", name)
		get.Dir = dir
		if out, err := get.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get download %s: %w: %s (or name a kernel in HOOKBRIDGE_TEST_KERNEL)", name, err, out)
		}
		debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
		if len(debs) == 0 {
			return fmt.Errorf("apt-get download %s brought nothing", name)
		}
		if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", debs[0], dir).CombinedOutput(); err != nil {
			return fmt.Errorf("dpkg-deb: %w: %s", err, out)
		}
		kernels, _ := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
		if len(kernels) == 0 {
			return fmt.Errorf("package %s holds no kernel", name)
		}
		return os.Rename(kernels[0], path)
	}
	return fmt.Errorf("package %s names no kernel (or name one in HOOKBRIDGE_TEST_KERNEL)", meta)
}
