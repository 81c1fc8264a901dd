//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"hookbridge/internal/testhost"
)

// relay stands between hookbridge and libvirtd, to cut their connections.
type relay struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []net.Conn
	ended sync.WaitGroup

	// hangAfter is after how many bytes of answers the first connection hangs, 0: never;
	// hung is closed then.
	hangAfter int64
	hung      chan struct{}
}

// newRelay starts a relay; for hangAfter see there.
func newRelay(t *testing.T, path, target string, hangAfter int64) *relay {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: listener, target: target, hangAfter: hangAfter, hung: make(chan struct{})}
	r.ended.Go(r.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		r.cut()
		r.ended.Wait()
	})
	return r
}

func (r *relay) accept() {
	for {
		from, err := r.listener.Accept()
		if err != nil {
			return
		}
		to, err := net.Dial("unix", r.target)
		if err != nil {
			_ = from.Close()
			continue
		}
		r.mu.Lock()
		first := len(r.conns) == 0
		r.conns = append(r.conns, from, to)
		r.mu.Unlock()
		r.ended.Go(func() { pass(from, to) })
		r.ended.Go(func() {
			if first && r.hangAfter > 0 {
				_, _ = io.CopyN(from, to, r.hangAfter)
				close(r.hung)
				return
			}
			pass(to, from)
		})
	}
}

// pass copies until either side ends, and then ends both.
func pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	_ = from.Close()
	_ = to.Close()
}

func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.conns = nil
}

// descriptors counts the open files of a process.
func descriptors(t *testing.T, pid int) int {
	t.Helper()
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// resident returns how many KiB of memory a process has that are no files (RssAnon).
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`RssAnon:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no RssAnon in %s", status)
	}
	kib, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// goroutines makes a hookbridge write down its stacks, which ends it, and counts
// them by the function that they are in at the bottom.
func (b *bridge) goroutines(t *testing.T) map[string]int {
	t.Helper()
	if err := b.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-b.ended
	_ = b.cmd.Wait()
	b.killed = true
	count := map[string]int{}
	// Number 0 is a thread that the signal met between two goroutines, and the runtime
	// begins some of its own at the first garbage collection.
	for _, stack := range regexp.MustCompile(`(?m)^goroutine [1-9]\d* .*\n(.+\n)*`).FindAllString(b.text(), -1) {
		lines := strings.Split(strings.TrimSpace(stack), "\n")
		bottom := lines[0]
		for _, l := range lines[1:] {
			if !strings.HasPrefix(l, "\t") {
				bottom = regexp.MustCompile(`\(0x[^)]*\)|\(\.\.\.\)|\(\{.*\)| in goroutine \d+`).ReplaceAllString(l, "")
			}
		}
		if !strings.HasPrefix(bottom, "created by runtime.") {
			count[bottom]++
		}
	}
	return count
}

// A connection that breaks leaves nothing behind: two hundred times.
func TestReconnectsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	const times, warm = 200, 20
	h := testhost.Start(t)
	ours := h.InstallRecorder(t, hookDir)
	path := filepath.Join(h.Scratch(), "relay")
	r := newRelay(t, path, h.Path("/run/libvirt/libvirt-sock"), 0)
	start := func(state string) *bridge {
		return launch(t, h, []string{"GOTRACEBACK=all"}, "--hook-dir", hookDir, "--ops", everything, "--state-dir", state,
			"--connect", "qemu+unix:///system?socket="+path)
	}
	fresh := start("/run/fresh")
	fresh.awaitLine(t, "watching")
	want := fresh.goroutines(t)

	b := start("/run/hookbridge")
	s := &scene{Host: h, t: t, ours: ours, b: b}
	b.awaitLine(t, "watching")
	h.DefineAndStart(t, testhost.Isolated("front", 81))
	h.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("front")})
	s.settle()

	pid, daemon := b.cmd.Process.Pid, h.DaemonPID(t)
	var files, daemonFiles, memory int
	for i := 1; i <= times; i++ {
		if i == warm {
			// The first connections fill caches.
			files, daemonFiles, memory = descriptors(t, pid), descriptors(t, daemon), resident(t, pid)
		}
		r.cut()
		b.awaitLines(t, "msg=watching", i+1)
	}
	h.Attach(t, "g", testhost.NIC{Network: "front", MAC: testhost.MAC(7)})
	s.settle()
	s.virsh(cmdline("destroy", "g"), cmdline("net-destroy", "front"))
	compare(t, h.Native().MustCalls(t), ours.MustCalls(t))
	// A recorder's call is there before its script has ended.
	b.awaitLines(t, `msg="done with"`, len(ours.MustCalls(t)))

	t.Logf("%d reconnects: descriptors %d, then %d; libvirtd's %d, then %d; memory %d KiB, then %d",
		times, files, descriptors(t, pid), daemonFiles, descriptors(t, daemon), memory, resident(t, pid))
	if now := descriptors(t, pid); now > files {
		t.Errorf("%d descriptors, %d before", now, files)
	}
	// One more is the client's that libvirtd is about to forget.
	if now := descriptors(t, daemon); now > daemonFiles+1 {
		t.Errorf("libvirtd has %d descriptors, %d before", now, daemonFiles)
	}
	// The heap has had its first collections by the first count, and swings by 1 MiB.
	if now := resident(t, pid); now > memory+8*1024 {
		t.Errorf("%d KiB of memory, %d before", now, memory)
	}
	got := b.goroutines(t)
	sum := func(m map[string]int) (n int) {
		for _, k := range m {
			n += k
		}
		return n
	}
	t.Logf("goroutines: %d, of one without a reconnect %d", sum(got), sum(want))
	if sum(got) > sum(want) || sum(want) == 0 {
		t.Errorf("goroutines: %v, of one without a reconnect %v", got, want)
	}
}
