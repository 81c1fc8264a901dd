package agent

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"hookbridge/internal/libvirtd"
)

// Kicks tell of what libvirt has no event for: libvirtd rewrites the status file
// of a domain or a network whenever anything about it changes. A kick says which
// object to look at again, nothing else; the file is not read, so a half-written
// one (0.9.6 and older rewrite them in place) does no harm.

// kicks watches the status directories for one session.
type kicks struct {
	notify *fsnotify.Watcher
	links  func() // ends those of the kernel
	ended  chan struct{}
	kinds  map[string]hintKind // by directory
}

// startKicks begins to put hints into the queue for what libvirtd writes about
// the networks and about the domains of this driver. The error says why it
// cannot; directories that this libvirt does not have are left out, and where it
// has none of them there are no kicks: nil.
func startKicks(dirs libvirtd.StatusDirs, driver string, queue *hintQueue) (*kicks, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, err
	}
	k := &kicks{notify: notify, ended: make(chan struct{}), kinds: map[string]hintKind{}}
	for _, dir := range dirs.Networks() {
		err = errors.Join(err, k.add(dir, networkHint))
	}
	for _, dir := range dirs.Domains(driver) {
		err = errors.Join(err, k.add(dir, domainHint))
	}
	if err != nil || len(k.kinds) == 0 {
		return nil, errors.Join(err, notify.Close())
	}
	if k.links, err = startLinks(queue, queue.lost); err != nil {
		return nil, errors.Join(err, notify.Close())
	}
	go k.forward(queue)
	return k, nil
}

// add watches a directory, under its real name: /var/run is a link to /run on
// many hosts.
func (k *kicks) add(dir string, kind hintKind) error {
	dir, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, there := k.kinds[dir]; there {
		return nil
	}
	if err := k.notify.Add(dir); err != nil {
		return err
	}
	k.kinds[dir] = kind
	return nil
}

func (k *kicks) forward(queue *hintQueue) {
	defer close(k.ended)
	for {
		select {
		case e, ok := <-k.notify.Events:
			if !ok {
				return
			}
			// NAME.xml.new is what libvirtd renames into place (since 0.9.7).
			name, isStatus := strings.CutSuffix(filepath.Base(e.Name), ".xml")
			if !isStatus || e.Op == fsnotify.Chmod {
				continue
			}
			queue.kick(hint{kind: k.kinds[filepath.Dir(e.Name)], name: name, kick: true, id: -1, arrived: time.Now()})
		case _, ok := <-k.notify.Errors:
			if !ok {
				return
			}
			queue.lost() // inotify's own queue; the lost names are unknown
		}
	}
}

func (k *kicks) stop() {
	k.links()
	_ = k.notify.Close()
	<-k.ended
}
