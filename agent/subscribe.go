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
	guard := func(feature string) {
		if r := recover(); r != nil {
			log.Errorf("%s callback: %v (a bug in hookbridge: please report it)", feature, r)
		}
	}
	putDomain := func(feature string, d *libvirt.Domain, amend func(*hint)) {
		defer guard(feature)
		h, err := domainHintOf(d)
		if err != nil {
			log.WithError(err).Warnf("an event for a domain that cannot be named is ignored (%s)", feature)
			return
		}
		amend(&h)
		queue.put(h)
	}

	var subs []subscription
	add := func(name string, id int, err error, deregister func(int) error) error {
		if err != nil {
			log.WithError(err).Debugf("this libvirt has no %s", name)
			return err
		}
		subs = append(subs, subscription{name, func() error { return deregister(id) }})
		return nil
	}
	// try registers for a feature's events unless it is switched off.
	try := func(feature Feature, register func() (int, error), deregister func(int) error) {
		if has.allowed(feature) {
			id, err := register()
			has.found(feature, add(string(feature), id, err, deregister) == nil)
		}
	}

	id, err := conn.DomainEventLifecycleRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventLifecycle) {
		putDomain("domain-lifecycle", d, func(h *hint) {
			h.started = e.Event == libvirt.DOMAIN_EVENT_STARTED
			h.stopped = e.Event == libvirt.DOMAIN_EVENT_STOPPED
			if h.started && has.allowed(DomainEventsDetail) {
				h.how = howStarted(libvirt.DomainEventStartedDetailType(e.Detail))
			}
		})
	})
	if err := add("domain lifecycle events", id, err, conn.DomainEventDeregister); err != nil {
		return nil, fmt.Errorf("no domain lifecycle events, which libvirt has had since 0.8.0: %w", err)
	}
	has.found(DomainEventsDetail, has.allowed(DomainEventsDetail))
	try(DeviceAdded, func() (int, error) {
		return conn.DomainEventDeviceAddedRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, _ *libvirt.DomainEventDeviceAdded) {
			putDomain(string(DeviceAdded), d, func(*hint) {})
		})
	}, conn.DomainEventDeregister)
	try(DeviceRemoved, func() (int, error) {
		return conn.DomainEventDeviceRemovedRegister(nil, func(_ *libvirt.Connect, d *libvirt.Domain, e *libvirt.DomainEventDeviceRemoved) {
			putDomain(string(DeviceRemoved), d, func(h *hint) { h.removed = e.DevAlias })
		})
	}, conn.DomainEventDeregister)
	try(NetworkEvents, func() (int, error) {
		return conn.NetworkEventLifecycleRegister(nil, func(_ *libvirt.Connect, n *libvirt.Network, e *libvirt.NetworkEventLifecycle) {
			defer guard(string(NetworkEvents))
			h, err := networkHintOf(n)
			if err != nil {
				log.WithError(err).Warn("an event for a network that cannot be named is ignored")
				return
			}
			h.started = e.Event == libvirt.NETWORK_EVENT_STARTED
			h.stopped = e.Event == libvirt.NETWORK_EVENT_STOPPED
			queue.put(h)
		})
	}, conn.NetworkEventDeregister)
	return subs, nil
}
