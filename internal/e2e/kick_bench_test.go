//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"hookbridge/internal/testhost"
)

// BenchmarkKick moves a card from one network to another and back, which no
// libvirt announces, and measures the time from libvirtd's writing of the guest's
// status file to the first instruction of the hook script, among few and many
// other status files. The start of the script, a shell, is part of it.
func BenchmarkKick(b *testing.B) {
	for _, files := range []int{50, 5000} {
		b.Run(fmt.Sprint(files, "files"), func(b *testing.B) {
			h := testhost.Start(b)
			ours := h.InstallRecorder(b, hookDir)
			for i := range files {
				h.WriteFile(b, fmt.Sprintf("/run/libvirt/qemu/other%d.xml", i), []byte("<domstatus/>\n"), 0o600)
			}
			startBridge(b, h, "--ops", "plugged,unplugged", "--connect", "qemu:///system")
			h.DefineAndStart(b, testhost.Isolated("front", 81))
			h.DefineAndStart(b, testhost.Isolated("back", 82))
			h.StartGuest(b, testhost.Guest{Name: "g", NICs: nics("front")})
			calls := len(ours.WaitN(b, 1))
			var took []time.Duration
			networks := []string{"back", "front"}
			for i := 0; b.Loop(); i++ {
				h.Update(b, "g", testhost.NIC{Network: networks[i%2], MAC: testhost.MAC(1)})
				all := ours.WaitN(b, calls+2)
				written, err := os.Stat(h.Path("/run/libvirt/qemu/g.xml"))
				if err != nil {
					b.Fatal(err)
				}
				took = append(took, all[calls].Time.Sub(written.ModTime()))
				calls += 2
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-median")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
			b.ReportMetric(0, "ns/op")
		})
	}
}
