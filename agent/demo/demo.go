package demo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/agent"
	"hookbridge/translate"
)

const uri = "test:///default"

// patience is how long a step waits for its calls; they take milliseconds.
const patience = 30 * time.Second

// Run gives the tour and writes it to out. The error says what did not come out
// as expected, or that the tour could not be given.
func Run(ctx context.Context, out io.Writer) error {
	library, err := agent.LibraryVersion()
	if err != nil {
		return err
	}
	script, err := newScript()
	if err != nil {
		return err
	}
	defer script.remove()

	t := &tour{out: out, script: script, finished: make(chan agent.Finished)}
	log := logrus.New()
	log.SetOutput(out)
	log.SetLevel(logrus.WarnLevel)
	ready := make(chan struct{})
	a, err := agent.New(agent.Config{
		Connect: []string{uri},
		HookDir: script.hooks(),
		Ops:     translate.NewOps(translate.ClassicOps()...),
		Timeout: patience,
		Log:     log,
		OnReady: func(string) { close(ready) },
		OnCall: func(f agent.Finished) {
			select {
			case t.finished <- f:
			case <-ctx.Done():
			}
		},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()

	began := time.Now()
	fmt.Fprintf(out, "hookbridge on the test driver of libvirt %s. Each block is one call of %s/network.\n", library, script.hooks())
	err = t.give(ctx, ready)
	cancel()
	if runErr := <-ended; err == nil {
		err = runErr
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%d of %d expected calls seen, in order, in %.1f s. No libvirtd was asked and nothing on this host was touched.\n",
		t.seen, t.seen, time.Since(began).Seconds())
	fmt.Fprintln(out, "Not shown, since the test driver does not announce it: hot-plug and hot-unplug.")
	return nil
}

// tour is one run of the demo.
type tour struct {
	out      io.Writer
	script   *script
	finished chan agent.Finished
	seen     int
}

// expected is a call that a step must bring about.
type expected struct {
	network string
	op      translate.Op
	guest   string
	mac     string
}

func (e expected) String() string {
	s := fmt.Sprintf("%s %s", e.network, e.op)
	if e.guest != "" {
		s += fmt.Sprintf(" (guest %s, %s)", e.guest, e.mac)
	}
	return s
}

// give goes through the steps. The driver begins with a network "default" and a
// guest "test" in it, which the agent finds running.
func (t *tour) give(ctx context.Context, ready <-chan struct{}) error {
	if err := t.step(ctx, "The agent starts: what already runs is announced", nil,
		expected{"default", translate.OpStart, "", ""},
		expected{"default", translate.OpStarted, "", ""},
		expected{"default", translate.OpPlugged, "test", "aa:bb:cc:dd:ee:ff"},
	); err != nil {
		return err
	}
	select {
	case <-ready:
	case <-ctx.Done():
		return ctx.Err()
	}

	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return fmt.Errorf("libvirt's test driver: %w", err)
	}
	defer func() { _, _ = conn.Close() }()
	host := virtualHost{conn: conn}
	defer host.free()
	for _, s := range host.steps() {
		if err := t.step(ctx, s.title, s.do, s.calls...); err != nil {
			return err
		}
	}
	return nil
}

// step does something and waits for the calls that must follow: each network's
// in the order given; different networks go side by side.
func (t *tour) step(ctx context.Context, title string, do func() error, calls ...expected) error {
	fmt.Fprintf(t.out, "\n== %s\n", title)
	if do != nil {
		if err := do(); err != nil {
			return fmt.Errorf("%s: libvirt's test driver says: %w", title, err)
		}
	}
	timeout := time.After(patience)
	for len(calls) > 0 {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout:
			return fmt.Errorf("%s: no call of the script for %s after %s", title, calls[0], patience)
		case f := <-t.finished:
			got, err := t.show(f)
			if err != nil {
				return fmt.Errorf("%s: %w", title, err)
			}
			next := slices.IndexFunc(calls, func(e expected) bool { return e.network == got.network })
			if next < 0 || calls[next] != got {
				return fmt.Errorf("%s: the script was called for %s, expected %s", title, got, calls[0])
			}
			calls = slices.Delete(calls, next, next+1)
			t.seen++
		}
	}
	return nil
}

// show prints a call and checks the script's own word for it.
func (t *tour) show(f agent.Finished) (expected, error) {
	got := expected{network: f.Call.Network, op: f.Call.Op}
	if f.Call.Domain != nil {
		got.guest, got.mac = f.Call.Domain.Name, f.Call.NIC.MAC
	}
	fmt.Fprintf(t.out, "\nnetwork %s\n", strings.Join(f.Call.Args(), " "))
	const shown = 7
	lines := strings.Split(string(f.Stdin), "\n")
	for _, line := range lines[:min(shown, len(lines))] {
		fmt.Fprintf(t.out, "  | %s\n", line)
	}
	if len(lines) > shown {
		fmt.Fprintf(t.out, "  | … %d more lines\n", len(lines)-shown)
	}
	fmt.Fprintf(t.out, "  %s\n", f.Result())

	if err := f.Report.Err(); err != nil {
		return got, err
	}
	args, document, err := t.script.given(f.Run)
	if err != nil {
		return got, fmt.Errorf("the script left no trace of run %s: %w", f.Run, err)
	}
	if !slices.Equal(args, f.Call.Args()) {
		return got, fmt.Errorf("the script was given %q instead of %q", args, f.Call.Args())
	}
	if document != string(f.Stdin) {
		return got, fmt.Errorf("the script read %d bytes instead of %d", len(document), len(f.Stdin))
	}
	return got, nil
}
