package slack_test

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/internal/slack"
)

func TestSlack(t *testing.T) {
	if got := slack.Before(); got <= 0 {
		t.Errorf("the process was started with a slack of %v", got)
	}
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || time.Duration(now) != time.Millisecond {
		t.Errorf("a thread has a slack of %v (%v)", time.Duration(now), err)
	}
}
