package agent

import (
	"fmt"

	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/translate"
)

// subscription is one registration, to be taken back.
type subscription struct {
	name       string
	deregister func() error
}

// howStarted names the detail of a STARTED event. One that is not known is not
// taken for a boot.
func howStarted(detail libvirt.DomainEventStartedDetailType) translate.Started {
	switch detail {
	case libvirt.DOMAIN_EVENT_STARTED_BOOTED:
		return translate.StartedBooted
	case libvirt.DOMAIN_EVENT_STARTED_MIGRATED:
		return translate.StartedMigrated
	case libvirt.DOMAIN_EVENT_STARTED_RESTORED:
		return translate.StartedRestored
	case libvirt.DOMAIN_EVENT_STARTED_FROM_SNAPSHOT:
		return translate.StartedFromSnapshot
	case libvirt.DOMAIN_EVENT_STARTED_WAKEUP:
		return translate.StartedWokenUp
	}
	return translate.StartedUnknown
}

// subscribe registers for every event that helps, each on its own: one that the
// daemon or the client library does not know (codes 1, 3 and 8, "unknown
// procedure") is a feature that is absent, and the connection stays useful.
// Only domain lifecycle events, in libvirt since 0.8.0, are indispensable.
func subscribe(conn *libvirt.Connect, queue *hintQueue, has *features, log *logrus.Entry) ([]subscription, error) {
	s := subscriber{queue: queue, has: has, log: log}
	id, err := conn.DomainEventLifecycleRegister(nil, s.domainLifecycle)
	if err := s.add("domain lifecycle events", id, err, conn.DomainEventDeregister); err != nil {
		return nil, fmt.Errorf("no domain lifecycle events, which libvirt has had since 0.8.0: %w", err)
	}
	has.found(DomainEventsDetail, has.allowed(DomainEventsDetail))
	s.try(DeviceAdded, func() (int, error) {
		return conn.DomainEventDeviceAddedRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, _ *libvirt.DomainEventDeviceAdded) {
			s.putDomain(string(DeviceAdded), d, func(*hint) {})
		})
	}, conn.DomainEventDeregister)
	s.try(DeviceRemoved, func() (int, error) {
		return conn.DomainEventDeviceRemovedRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventDeviceRemoved) {
			s.putDomain(string(DeviceRemoved), d, func(h *hint) { h.removed = e.DevAlias })
		})
	}, conn.DomainEventDeregister)
	s.try(NetworkEvents, func() (int, error) {
		return conn.NetworkEventLifecycleRegister(nil, s.networkLifecycle)
	}, conn.NetworkEventDeregister)
	return s.made, nil
}

// subscriber registers for events and is called for them.
type subscriber struct {
	queue *hintQueue
	has   *features
	log   *logrus.Entry
	made  []subscription
}

// try registers for a feature's events unless it is switched off.
func (s *subscriber) try(feature Feature, register func() (int, error), deregister func(int) error) {
	if s.has.allowed(feature) {
		id, err := register()
		s.has.found(feature, s.add(string(feature), id, err, deregister) == nil)
	}
}

// add enters a registration that was tried. The error is that of the registration.
func (s *subscriber) add(name string, id int, err error, deregister func(int) error) error {
	if err != nil {
		s.log.WithError(err).Debugf("this libvirt has no %s", name)
		return err
	}
	s.made = append(s.made, subscription{name, func() error { return deregister(id) }})
	return nil
}

func (s *subscriber) domainLifecycle(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
	s.putDomain("domain-lifecycle", d, func(h *hint) {
		h.started = e.Event == libvirt.DOMAIN_EVENT_STARTED
		h.stopped = e.Event == libvirt.DOMAIN_EVENT_STOPPED
		if h.started && s.has.allowed(DomainEventsDetail) {
			h.how = howStarted(libvirt.DomainEventStartedDetailType(e.Detail))
		}
	})
}

func (s *subscriber) networkLifecycle(_ *libvirt.Connect, n *libvirt.Network, e *libvirt.NetworkEventLifecycle) {
	defer s.guard(string(NetworkEvents))
	h, err := networkHintOf(n)
	if err != nil {
		s.log.WithError(err).Warn("an event for a network that cannot be named is ignored")
		return
	}
	h.started = e.Event == libvirt.NETWORK_EVENT_STARTED
	h.stopped = e.Event == libvirt.NETWORK_EVENT_STOPPED
	s.queue.put(h)
}

// putDomain queues the hint of a domain's event, with what the event adds to it.
func (s *subscriber) putDomain(feature string, d *libvirt.Domain, amend func(*hint)) {
	defer s.guard(feature)
	h, err := domainHintOf(d)
	if err != nil {
		s.log.WithError(err).Warnf("an event for a domain that cannot be named is ignored (%s)", feature)
		return
	}
	amend(&h)
	s.queue.put(h)
}

// guard is deferred by each callback: a panic in one must not end libvirt's event loop.
func (s *subscriber) guard(feature string) {
	if r := recover(); r != nil {
		s.log.Errorf("%s callback: %v (a bug in hookbridge: please report it)", feature, r)
	}
}
