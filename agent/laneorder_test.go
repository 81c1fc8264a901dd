package agent

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

// Three changes of two guests in one network, planned while its script is slow, are
// told in that order, although the first guest's second is not ready before its
// first has ended.
func TestLaneKeepsTheOrderOfPlanning(t *testing.T) {
	var (
		mu   sync.Mutex
		made []string
	)
	release := make(chan struct{})
	all := make(chan struct{})
	d := newDispatcher(t.Context(), 4, func(_ context.Context, tk task, _ []task, _ time.Time) aftermath {
		<-release
		mu.Lock()
		defer mu.Unlock()
		made = append(made, fmt.Sprint(tk.call.Op, " ", tk.call.Domain.Name))
		if len(made) == 3 {
			close(all)
		}
		return nil
	})
	for _, c := range []string{"plugged g", "unplugged g", "plugged h"} {
		op, guest, _ := strings.Cut(c, " ")
		d.submit(chain{guest: guest, tasks: []task{{call: translate.Call{Op: translate.Op(op), Network: "n", Domain: &translate.DomainRef{Name: guest}}}}})
	}
	close(release)
	<-all
	d.close()
	if diff := cmp.Diff([]string{"plugged g", "unplugged g", "plugged h"}, made); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
