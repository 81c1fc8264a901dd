package heap

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestShare(t *testing.T) {
	const mib = 1 << 20
	for live, want := range map[uint64]int{
		0: 200, 1: 200, mib: 200, 4 * mib: 200, 4*mib + mib/2: 177, 8 * mib: 100, 10 * mib: 80, 16 * mib: 50, 17 * mib: 50, 1 << 50: 50,
	} {
		if got := share(live); got != want {
			t.Errorf("%d bytes in use: %d %%, want %d", live, got, want)
		}
	}
}

// The process that is bounded: it fills its heap and empties it again, and says what is
// set at first and after each.
func TestMain(m *testing.M) {
	expected := strings.Fields(os.Getenv(expectations))
	if len(expected) == 0 {
		os.Exit(m.Run())
	}
	Bound()
	settings := []string{percent()}
	kept := make([]byte, 32<<20)
	settings = append(settings, awaitPercent(expected[1]))
	runtime.KeepAlive(kept)
	settings = append(settings, awaitPercent(expected[2]))
	os.Stdout.WriteString(strings.Join(settings, " "))
}

const expectations = "HOOKBRIDGE_TEST_HEAP"

// awaitPercent collects until this is set, as what runs after a collection takes its time.
func awaitPercent(want string) (got string) {
	for end := time.Now().Add(10 * time.Second); got != want && time.Now().Before(end); {
		runtime.GC()
		got = percent()
	}
	return got
}

func percent() string {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return strconv.FormatUint(s[0].Value.Uint64(), 10)
}

func TestBound(t *testing.T) {
	for gogc, want := range map[string]string{"": "200 50 200", "70": "70 70 70"} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), expectations+"="+want, "GOGC="+gogc)
		out, err := cmd.CombinedOutput()
		if got := string(out); err != nil || got != want {
			t.Errorf("GOGC=%s: %s, want %s; %v", gogc, got, want, err)
		}
	}
}
