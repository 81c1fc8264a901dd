//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"hookbridge/internal/testhost"
)

const examplesDir = "../../examples"

// example is a private host on which an example is the network hook. A recorder runs
// after it: a call that is recorded has done its work.
type example struct {
	*scene
	t *testing.T
}

func newExample(t *testing.T, name string, files map[string]string) *example {
	t.Helper()
	t.Parallel()
	h := testhost.Start(t)
	script, err := os.ReadFile(filepath.Join(examplesDir, name))
	if err != nil {
		t.Fatal(err)
	}
	h.WriteFile(t, hookDir+"/network", script, 0o755)
	for path, text := range files {
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		h.WriteFile(t, path, []byte(text), mode)
	}
	s := &scene{Host: h, t: t, ours: h.InstallRecorder(t, hookDir+"/network.d")}
	s.b = launch(t, h, []string{"PATH=" + standIns + ":/usr/sbin:/usr/bin:/sbin:/bin"},
		"--hook-dir", hookDir, "--ops", classic, "--connect", "qemu:///system")
	s.b.awaitWatching(t)
	return &example{s, t}
}

// standIns is a directory of commands that take the place of the host's.
const standIns = "/etc/hookbridge-test/bin"

// out runs a command on the host and returns what it printed.
func (e *example) out(command string) string {
	e.t.Helper()
	out, err := e.Command(e.t.Context(), "sh", "-c", command).CombinedOutput()
	if err != nil {
		e.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// fire makes a call by hand, which must end with the status.
func (e *example) fire(status int, args ...string) {
	e.t.Helper()
	cmd := e.Command(e.t.Context(), binary(e.t), append([]string{"fire"}, args...)...)
	out, _ := cmd.CombinedOutput()
	if got := cmd.ProcessState.ExitCode(); got != status {
		e.t.Errorf("fire %s: exit status %d, want %d\n%s", strings.Join(args, " "), got, status, out)
	}
}

// again checks that a call that is made once more changes nothing of what a command
// prints.
func (e *example) again(look string, args ...string) {
	e.t.Helper()
	before := e.out(look)
	e.fire(0, args...)
	if after := e.out(look); after != before {
		e.t.Errorf("made again, %s changes\n%s\nto\n%s", strings.Join(args, " "), before, after)
	}
}

func has(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("no %q in\n%s", w, text)
		}
	}
}

func hasNot(t *testing.T, text, unwanted string) {
	t.Helper()
	if strings.Contains(text, unwanted) {
		t.Errorf("%q in\n%s", unwanted, text)
	}
}

func TestExamplePortForward(t *testing.T) {
	e := newExample(t, "port-forward", map[string]string{
		"/etc/port-forwards": "# network guest address ports\nfront web1 192.168.81.50 8080:80 8443:443\nback web1 192.168.82.9 1:1\n",
	})
	n := testhost.Network{Name: "front", Forward: "nat", Bridge: "virbr7", Subnet: 81, DHCP: true}
	e.DefineAndStart(t, n)
	e.ours.WaitFor(t, "front", "started")
	const look = "iptables-save | sed '/^#/d; s/\\[.*\\]//'; cat /var/lib/libvirt/dnsmasq/front.hostsfile"
	bare := e.out(look)

	e.StartGuest(t, testhost.Guest{Name: "web1", NICs: nics("front")})
	e.ours.WaitFor(t, "front", "plugged")
	plugged := e.out(look)
	has(t, plugged,
		"-A PREROUTING ! -i virbr7 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 192.168.81.50:80\n",
		"-A PREROUTING ! -i virbr7 -p tcp -m tcp --dport 8443 -j DNAT --to-destination 192.168.81.50:443\n",
		"-A FORWARD -d 192.168.81.50/32 -o virbr7 -p tcp -m tcp --dport 80 -j ACCEPT\n",
		mac(1)+",192.168.81.50")
	e.again(look, "front", "plugged", "--domain", "web1")

	// A guest that is not in the table.
	e.StartGuest(t, testhost.Guest{Name: "other", NICs: []testhost.NIC{{Network: "front", MAC: mac(2)}}})
	e.ours.WaitN(t, 5)
	if got := e.out(look); got != plugged {
		t.Errorf("another guest changes\n%s\nto\n%s", plugged, got)
	}

	// The table changes while the guest runs: what was set up goes all the same.
	e.WriteFile(t, "/etc/port-forwards", []byte("front web1 192.168.81.60 81:81\n"), 0o644)
	e.Virsh(t, "destroy", "web1")
	e.ours.WaitFor(t, "front", "unplugged")
	if got := e.out(look); got != bare {
		t.Errorf("something is left:\n%s\nbefore\n%s", got, bare)
	}

	// What cannot be forwarded refuses the guest, and leaves nothing.
	e.WriteFile(t, "/etc/port-forwards", []byte("front web1 192.168.81.60 81:81 eighty:80\n"), 0o644)
	e.Virsh(t, "start", "web1")
	e.b.awaitLine(t, "invalid port/service `eighty'") // iptables' own words come first
	e.b.awaitLine(t, "undone: the guest was destroyed")
	if got := e.out(look); got != bare {
		t.Errorf("something is left of a refused guest:\n%s\nbefore\n%s", got, bare)
	}
}

func TestExampleVLANBridge(t *testing.T) {
	files := map[string]string{}
	if kernelLacksVLANs(t) {
		t.Log("this kernel has no VLANs: a pair of cards stands for one")
		files[standIns+"/ip"] = "#!/bin/sh\n" +
			`case "$*" in "link add link "*" type vlan id "*) exec /sbin/ip link add name "$6" type veth peer name peer ;; esac` + "\n" +
			`exec /sbin/ip "$@"` + "\n"
	}
	e := newExample(t, "vlan-bridge", files)
	e.out("ip link add eth0 type bridge")
	n := testhost.HostBridge("vlan100", "br100")
	e.Define(t, n)

	cmd := e.Command(t.Context(), binary(t), "network", "start", "vlan100")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("network start: %v\n%s", err, out)
	}
	e.ours.WaitFor(t, "vlan100", "started")
	const look = "ip -o link | sed 's/^[0-9]*: //; s/ state .*//' | grep -v vnet"
	has(t, e.out(look), "\neth0.100@", "master br100\n", "\nbr100:")
	e.again(look, "vlan100", "start")

	e.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("vlan100")})
	e.ours.WaitFor(t, "vlan100", "plugged")
	has(t, e.out("ls /sys/class/net/br100/brif"), "eth0.100", "vnet0")

	// With a guest in it the bridge stays.
	e.Virsh(t, "net-destroy", "vlan100")
	e.ours.WaitFor(t, "vlan100", "stopped")
	if got := e.out("ls /sys/class/net/br100/brif"); got != "vnet0\n" {
		t.Errorf("in the bridge there is %q", got)
	}
	e.Virsh(t, "destroy", "g")
	e.ours.WaitFor(t, "vlan100", "unplugged")
	e.fire(0, "vlan100", "stopped")
	hasNot(t, e.out(look), "100")

	// Without its uplink the network does not come up.
	e.out("ip link del eth0")
	e.WriteFile(t, standIns+"/ip", []byte("#!/bin/sh\n[ \"$3\" != link ] || exit 1\nexec /sbin/ip \"$@\"\n"), 0o755)
	cmd = e.Command(t.Context(), binary(t), "network", "start", "vlan100")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the network is up")
	}
	has(t, string(out), "VLAN 100 of eth0 cannot be bridged for network vlan100")
	hasNot(t, e.out(look), "100")
}

// kernelLacksVLANs reports whether there can be no VLAN interface here.
func kernelLacksVLANs(t *testing.T) bool {
	t.Helper()
	const try = "ip link add hb0 type bridge && ip link add link hb0 name hb0.7 type vlan id 7"
	return exec.CommandContext(t.Context(), "unshare", "--net", "sh", "-c", try).Run() != nil
}

func TestExampleIPAM(t *testing.T) {
	e := newExample(t, "ipam-dns", nil)
	e.DefineAndStart(t, testhost.Isolated("front", 81))
	e.DefineAndStart(t, testhost.Isolated("other", 82))
	const look = "cat /var/lib/ipam/dhcp /var/lib/ipam/dns"
	e.StartGuest(t, testhost.Guest{Name: "Web_1", NICs: nics("front", "other")})
	e.ours.WaitFor(t, "other", "plugged")
	if got, want := e.out(look), mac(1)+",10.0.10.100,web-1\n10.0.10.100 web-1.front.example.org web-1\n"; got != want {
		t.Errorf("DHCP and DNS are told %q, want %q", got, want)
	}
	e.again(look, "front", "plugged", "--domain", "Web_1")
	e.StartGuest(t, testhost.Guest{Name: "db", NICs: []testhost.NIC{{Network: "front", MAC: mac(3)}}})
	e.ours.WaitN(t, 8)
	has(t, e.out(look), mac(3)+",10.0.10.101,db\n", "10.0.10.101 db.front.example.org db\n")

	// A name that is taken.
	e.StartGuest(t, testhost.Guest{Name: "DB", NICs: []testhost.NIC{{Network: "front", MAC: mac(4)}}})
	e.b.awaitLine(t, "another guest in front has the name db")
	e.b.awaitLine(t, "undone: the guest was destroyed")
	hasNot(t, e.out(look), mac(4))

	// A pool that is full.
	e.out(`for i in $(seq 102 199); do echo "10.0.10.$i 52:54:00:00:01:$i n$i front.example.org"; done >>/var/lib/ipam/pool.front`)
	e.StartGuest(t, testhost.Guest{Name: "late", NICs: []testhost.NIC{{Network: "front", MAC: mac(5)}}})
	e.b.awaitLine(t, "no address left in front")
	e.b.awaitLines(t, "undone: the guest was destroyed", 2)

	e.Virsh(t, "destroy", "Web_1")
	e.ours.WaitFor(t, "front", "unplugged")
	hasNot(t, e.out(look), mac(1))
	e.Virsh(t, "start", "late")
	e.ours.Wait(t, "late", func([]testhost.Call) bool { return strings.Contains(e.out(look), mac(5)+",10.0.10.100,late\n") })
}

func TestExampleOpenVSwitch(t *testing.T) {
	// No Open vSwitch runs here: what it is asked is written down, and a file makes it
	// fail.
	e := newExample(t, "openvswitch-isolation", map[string]string{
		standIns + "/ovs-ofctl": "#!/bin/sh\necho \"$*\" >>/run/ovs-ofctl\n[ ! -e /run/fail ] || [ \"$1\" != add-flow ]\n",
	})
	n := testhost.Isolated("dmz", 81)
	n.Bridge = "ovsbr0"
	e.DefineAndStart(t, n)
	e.StartGuest(t, testhost.Guest{Name: "g", NICs: nics("dmz")})
	e.ours.WaitFor(t, "dmz", "plugged")
	cookie := "cookie=0x" + strings.ReplaceAll(mac(1), ":", "")
	added := strings.NewReplacer("COOKIE", cookie, "MAC", mac(1)).Replace(`add-flow ovsbr0 COOKIE,priority=100,dl_src=MAC,actions=drop
add-flow ovsbr0 COOKIE,priority=200,dl_src=MAC,dl_dst=52:54:00:00:00:fe,actions=NORMAL
add-flow ovsbr0 COOKIE,priority=200,arp,dl_src=MAC,dl_dst=ff:ff:ff:ff:ff:ff,actions=NORMAL
`)
	deleted := "del-flows ovsbr0 " + cookie + "/-1\n"
	if got := e.out("cat /run/ovs-ofctl"); got != added {
		t.Errorf("asked for\n%s\nwant\n%s", got, added)
	}
	e.fire(0, "dmz", "plugged", "--domain", "g")
	e.Virsh(t, "destroy", "g")
	e.ours.WaitFor(t, "dmz", "unplugged")
	if got := e.out("cat /run/ovs-ofctl"); got != added+added+deleted {
		t.Errorf("asked for\n%s\nwant\n%s", got, added+added+deleted)
	}

	e.out("rm /run/ovs-ofctl; touch /run/fail")
	e.Virsh(t, "start", "g")
	e.b.awaitLine(t, "no flow for "+mac(1)+" in network dmz on ovsbr0")
	e.b.awaitLine(t, "undone: the guest was destroyed")
	if got := e.out("tail -n 1 /run/ovs-ofctl"); got != deleted {
		t.Errorf("last it is asked %q, want %q", got, deleted)
	}
}

// With xmllint and without it scripts read the same from a document.
func TestExamplesReadDocuments(t *testing.T) {
	document := "<hookData>\n  <interface type='network'>\n    <mac address='52:54:00:00:00:01'/>\n    <source network='front' bridge='virbr7'/>\n  </interface>\n" +
		"  <network connections='1'>\n    <name>front</name>\n    <bridge name='virbr7' stp='on' delay='0'/>\n    <mac address='52:54:00:00:00:02'/>\n  </network>\n" +
		"  <domain type='qemu' id='1'>\n    <name>web1</name>\n    <description>\n    <name>not this</name></description>\n  </domain>\n</hookData>"
	scripts, err := filepath.Glob(examplesDir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	bare := t.TempDir() // without xmllint
	for _, tool := range []string{"sed", "head", "cat"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bare, tool)); err != nil {
			t.Fatal(err)
		}
	}
	_, missing := exec.LookPath("xmllint")
	t.Logf("xmllint: %v", missing)
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, reads, ok := strings.Cut(string(text), "\nvalue() {")
		if !ok {
			continue // the README
		}
		body := "document=$(cat)\nvalue() {"
		body += strings.SplitAfter(reads, "\n}\n")[0]
		for line := range strings.Lines(reads) {
			if name, _, ok := strings.Cut(line, "=$(value "); ok {
				body += line + "echo " + name + "=$" + name + "\n"
			}
		}
		for _, searchPath := range []string{bare, os.Getenv("PATH")} {
			cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", body)
			cmd.Env = []string{"PATH=" + searchPath}
			cmd.Stdin = strings.NewReader(document)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", path, err, out)
			}
			for line := range strings.Lines(string(out)) {
				switch line {
				case "mac=52:54:00:00:00:01\n", "guest=web1\n", "bridge=virbr7\n":
				default:
					t.Errorf("%s, PATH %s: %s", path, searchPath, line)
				}
			}
			if len(out) == 0 {
				t.Errorf("%s reads nothing", path)
			}
		}
	}
}

// Examples are what a linter of shell scripts lets pass.
func TestExamplesLint(t *testing.T) {
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("no shellcheck")
	}
	scripts, err := filepath.Glob(examplesDir + "/*[!d]")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-s", "sh"}
	for _, path := range scripts {
		if filepath.Ext(path) == "" {
			args = append(args, path)
		}
	}
	if out, err := exec.CommandContext(t.Context(), shellcheck, args...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
