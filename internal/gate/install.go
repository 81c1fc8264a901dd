package gate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"hookbridge/exec"
	"hookbridge/internal/gate/ask"
)

// Options are what the shim is told.
type Options struct {
	Binary      string        // the hookbridge program; required
	Socket      string        // the agent's; default ask.DefaultSocket
	Timeout     time.Duration // how long the agent may take; default ask.DefaultTimeout
	Unavailable ask.Policy    // what happens without the agent; default ask.Allow
}

// Outcome is what became of one guest's hook.
type Outcome struct {
	Guest string `json:"guest"`
	Path  string `json:"path"`
	// Done says what was done, in a sentence.
	Done string `json:"done"`
	// Notes are what the administrator has to know, or do, besides.
	Notes []string `json:"notes,omitempty"`
	// Err says why nothing was done.
	Err error `json:"-"`
}

// A UsageError says that the caller asked for what cannot be.
type UsageError struct{ error }

// Report is what became of each guest's hook.
type Report []Outcome

// err joins the errors of all guests.
func (r Report) err() error {
	var all []error
	for _, o := range r {
		if o.Err != nil {
			all = append(all, o.Err)
		}
	}
	return errors.Join(all...)
}

const notSeen = "libvirtd looks for hooks only when it starts or reloads: systemctl restart libvirtd (guests keep running) makes it see this one; " +
	"SIGHUP would, too, and also make firewall rules anew and start networks marked autostart, so hookbridge sends none"

// Install puts the shim into the hooks of the given guests. A script that is
// there is kept under another name and runs first; the path is there at every
// moment. Installing again changes only what the options change. The error joins
// those of the guests; it concerns a hook that is left as it was.
func Install(hookDir string, guests []string, o Options) (Report, error) {
	dir, err := filepath.Abs(hookDir)
	if err != nil {
		return nil, err
	}
	s, err := o.settings()
	if err != nil {
		return nil, err
	}
	if err := checkGuests(guests); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	release, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	var report Report
	for _, guest := range guests {
		report = append(report, newHook(dir, guest).install(s))
	}
	return report, report.err()
}

func (o Options) settings() (settings, error) {
	if o.Socket == "" {
		o.Socket = ask.DefaultSocket
	}
	if o.Timeout == 0 {
		o.Timeout = ask.DefaultTimeout
	}
	if o.Unavailable == "" {
		o.Unavailable = ask.Allow
	}
	if o.Timeout < 0 {
		return settings{}, UsageError{errors.New("the gate's timeout must be positive: libvirtd waits meanwhile")}
	}
	if !filepath.IsAbs(o.Socket) || !filepath.IsAbs(o.Binary) {
		return settings{}, UsageError{fmt.Errorf("the paths %q and %q must be absolute", o.Socket, o.Binary)}
	}
	// libvirtd will run it as root.
	if err := exec.Trust(o.Binary); err != nil {
		return settings{}, err
	}
	return settings{
		Version: shimVersion, Binary: o.Binary, Socket: o.Socket, Timeout: o.Timeout.String(), Unavailable: o.Unavailable,
	}, nil
}

func checkGuests(guests []string) error {
	if len(guests) == 0 {
		return UsageError{errors.New("no guest hook is named")}
	}
	for i, g := range guests {
		if !slices.Contains(Guests, g) {
			return UsageError{fmt.Errorf("there is no gate for %q: the guest hooks are qemu,lxc", g)}
		}
		if slices.Contains(guests[:i], g) {
			return UsageError{fmt.Errorf("%s is named twice", g)}
		}
	}
	return nil
}

func (h hook) install(s settings) Outcome {
	o := Outcome{Guest: h.guest, Path: h.path()}
	if o.Err = h.repair(); o.Err != nil {
		return o
	}
	f, err := h.look()
	if err == nil {
		s.Guest = h.guest
		err = h.put(f, s, &o)
	}
	if o.Err = err; err != nil {
		o.Err = errors.Join(err, h.repair())
		return o
	}
	h.noteUnseen(&o)
	return o
}

// put brings the shim into place, over what was found there.
func (h hook) put(f found, s settings, o *Outcome) error {
	var err error
	if s.Since, err = now(); err != nil {
		return err
	}
	if f.state == active || f.state == passing {
		// It is the path that libvirtd has seen, whatever lay there.
		s.Since = f.settings.Since
		s.Kept = f.settings.Kept
	}
	switch {
	case f.kept == nothingKept:
		s.Kept = ""
	case s.Kept == "":
		if s.Kept, err = sumOf(h.keptPath()); err != nil {
			return err
		}
	}
	switch f.state {
	case edited:
		return fmt.Errorf("%s is hookbridge's, but somebody changed it: it is left alone. "+
			"Put the change into a script of its own, delete the file, and install again", h.path())
	case active:
		if f.settings == s && runs(h.path()) {
			o.Done = "the gate is installed already"
			break
		}
		o.Done = "the gate was installed anew, with other settings"
		err = h.putOver(s)
	case passing:
		o.Done = "the gate is installed, in the place of the pass-through of a removed one"
		err = h.putOver(s)
	case absent:
		o.Done = "the gate is installed"
		if err = h.writeFresh(s); err != nil {
			return err
		}
		// Not by rename: somebody might have put a script there by now.
		if err = h.link(h.freshPath(), h.path()); err != nil {
			return err
		}
		err = h.remove(h.freshPath())
	case foreign:
		if f.info.IsDir() {
			return fmt.Errorf("%s is a directory", h.path())
		}
		if f.kept != nothingKept {
			return fmt.Errorf("%s is not hookbridge's any more, and %s still holds the script that was there before the gate: "+
				"both are left alone. Make them one script, or delete one of them, and install again", h.path(), h.keptPath())
		}
		o.Done = fmt.Sprintf("the gate is installed; the script that was there is kept as %s and runs first", h.keptPath())
		err = h.keepAndPut(f, s)
	}
	if err == nil && (f.kept == keptIdle || f.state == foreign && !runs(h.keptPath())) {
		o.Notes = append(o.Notes, fmt.Sprintf("%s is not executable: libvirt did not run it, and the gate does not", h.keptPath()))
	}
	return err
}

// keepAndPut gives the script that is there its second name before the shim takes
// the first. It stays the same file: owner, mode, times and attributes with it.
func (h hook) keepAndPut(f found, s settings) error {
	var err error
	if s.Kept, err = sumOf(h.path()); err != nil {
		return err
	}
	if st, ok := f.info.Sys().(*syscall.Stat_t); ok && runs(h.path()) {
		s.Since = s.Since.ago(time.Unix(st.Ctim.Unix()))
	}
	if err := h.writeFresh(s); err != nil {
		return err
	}
	if err := h.link(h.path(), h.keptPath()); err != nil {
		return fmt.Errorf("the script that is there cannot be kept: %w", err)
	}
	// An editor may have put another file there meanwhile.
	f, err = h.look()
	if err != nil {
		return err
	}
	if !f.halfway() {
		// What got the second name is what somebody has just replaced.
		return errors.Join(fmt.Errorf("%s was replaced at this very moment: install again", h.path()), h.remove(h.keptPath()))
	}
	return h.rename(h.freshPath(), h.path())
}

// noteUnseen says that a running daemon does not know the hook.
func (h hook) noteUnseen(o *Outcome) {
	f, err := h.look()
	if err == nil {
		if seen, _ := h.seen(f.settings.Since); seen == seenNot {
			o.Notes = append(o.Notes, notSeen)
		}
	}
}
