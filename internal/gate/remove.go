package gate

import (
	"fmt"
	"os"
	"path/filepath"
)

// Remove takes the shim out of the hooks of the given guests, and puts back the
// script that was there before. Where there was none, and a daemon runs that may
// have seen the hook, a script that does nothing stays; removing again takes that
// away when no such daemon runs any more. The error joins those of the guests; it
// concerns a hook that is left as it was.
func Remove(hookDir string, guests []string) (Report, error) {
	dir, err := filepath.Abs(hookDir)
	if err != nil {
		return nil, err
	}
	if err := checkGuests(guests); err != nil {
		return nil, err
	}
	var report Report
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		for _, guest := range guests {
			report = append(report, Outcome{Guest: guest, Path: newHook(dir, guest).path(), Done: "there is no gate"})
		}
		return report, nil
	}
	release, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	for _, guest := range guests {
		report = append(report, newHook(dir, guest).uninstall())
	}
	return report, report.err()
}

func (h hook) uninstall() Outcome {
	o := Outcome{Guest: h.guest, Path: h.path()}
	if o.Err = h.repair(); o.Err != nil {
		return o
	}
	f, err := h.look()
	if err == nil {
		err = h.takeOut(f, &o)
	}
	o.Err = err
	return o
}

func (h hook) takeOut(f found, o *Outcome) error {
	switch f.state {
	case edited:
		return fmt.Errorf("%s is hookbridge's, but somebody changed it: it is left alone. "+
			"To end the gate there, put \"exit 0\" into its second line; restart libvirtd after deleting it", h.path())
	case foreign:
		if f.kept != nothingKept {
			return fmt.Errorf("%s is not hookbridge's any more: it is left alone, and so is %s, "+
				"the script that was there before the gate. Delete the one that is not needed", h.path(), h.keptPath())
		}
		o.Done = "there is no gate; the script that is there is not hookbridge's"
		return nil
	case absent:
		if f.kept == nothingKept {
			o.Done = "there is no gate"
			return nil
		}
		o.Done = "the shim was gone already; the script that was there before it is back"
		if err := h.link(h.keptPath(), h.path()); err != nil {
			return err
		}
		return h.remove(h.keptPath())
	}

	if f.kept == nothingKept && f.settings.Kept != "" {
		o.Notes = append(o.Notes, fmt.Sprintf("%s, the script that was there before the gate, is not there any more: somebody has deleted it or taken it away", h.keptPath()))
	}
	if f.kept == keptRuns {
		if s, err := sumOf(h.keptPath()); err == nil && s != f.settings.Kept {
			o.Notes = append(o.Notes, "it was changed while it was kept, and is put back as it is now")
		}
		o.Done = "the gate is removed; the script that was there before is back"
		return h.rename(h.keptPath(), h.path())
	}
	// Whatever is left here, libvirtd would not count it as a hook, and might have
	// counted the shim as one.
	cached, err := h.daemons(h.dir, h.guest)
	if err != nil {
		return err
	}
	if len(cached) > 0 {
		return h.leavePassThrough(f, o)
	}
	o.Done = "the gate is removed"
	if f.kept == keptIdle {
		o.Done = "the gate is removed; the script that was there before is back"
		return h.rename(h.keptPath(), h.path())
	}
	if err := h.remove(h.path()); err != nil {
		return err
	}
	if cached, err := h.daemons(h.dir, h.guest); err != nil || len(cached) > 0 {
		// One has started at this very moment.
		return h.leavePassThrough(f, o)
	}
	return nil
}

func (h hook) leavePassThrough(f found, o *Outcome) error {
	o.Notes = append(o.Notes, passThroughStays(h.path()))
	if f.state == passing {
		o.Done = "the gate was removed already; its pass-through stays"
		if _, err := os.Lstat(h.path()); err == nil {
			return nil
		}
	} else {
		o.Done = "the gate is removed; a script that does nothing stays in its place"
	}
	return h.putOver(settings{
		Version: shimVersion, PassThrough: true, Guest: h.guest, Kept: f.settings.Kept, Since: f.settings.Since,
	})
}

func passThroughStays(path string) string {
	return fmt.Sprintf("libvirtd may have seen %s, and would then fail every start of a guest without it. "+
		"To delete it, when convenient: systemctl stop libvirtd && hookbridge gate remove && systemctl start libvirtd (guests keep running)", path)
}
