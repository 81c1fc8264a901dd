package agent

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// The end of a call is only noted beside the database if the call's plan is in it: else
// the note would be of a call that a full file system may let in later.
func TestEndOfACallWhosePlanIsNotKept(t *testing.T) {
	s, err := store.Open(t.TempDir(), "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	log := logrus.New()
	log.SetOutput(io.Discard)
	k := keeper{store: s, log: log}
	call := translate.Call{Op: translate.OpPlugged, Network: "n"}
	for _, failure := range []error{errors.New("no space left on device"), nil} {
		id := s.NewCalls(1)[0]
		kept := s.PutToWait(func(tx *store.Tx) error {
			if failure != nil {
				return failure
			}
			return tx.Plan(id, nil)
		})
		k.await(&kept)
		if got := kept == (store.Ticket{}); got != (failure == nil) {
			t.Errorf("%v: the plan is said to be kept: %t", failure, got)
		}
		end := k.done(task{call: call, id: id, kept: &kept}, "", 0, nil)
		if got := end == (store.Ticket{}); got != (failure == nil) {
			t.Errorf("%v: the end is noted: %t", failure, got)
		}
	}
}

// A record that no call goes with is written though nobody waits for it.
func TestRecordWithoutCalls(t *testing.T) {
	s, err := store.Open(t.TempDir(), "boot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	kept := make(chan struct{})
	keeper{store: s}.record(change{bucket: store.Networks, key: "n", packed: []byte("{}")}, &chain{}, func() { close(kept) })
	select {
	case <-kept:
	case <-time.After(30 * time.Second):
		t.Error("it is not kept")
	}
}
