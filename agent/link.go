package agent

import (
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// The kernel announces the bridges and taps that libvirt makes and removes. A
// bridge or a tap that goes names its network or its guest; a bridge that comes
// says only that some network may have come up.

// linkHint says that the link of this name was added or removed.
func linkHint(u netlink.LinkUpdate) (hint, bool) {
	attrs := u.Attrs()
	h := hint{kick: true, id: -1, name: attrs.Name, arrived: time.Now()}
	switch {
	case u.Header.Type == unix.RTM_DELLINK:
		h.kind = goneLinkHint
	case u.Header.Type == unix.RTM_NEWLINK && u.Type() == "bridge":
		h.kind = newBridgeHint
	default:
		return h, false
	}
	return h, true
}

// startLinks begins to put hints into the queue for what the kernel says. stop
// ends it; failed is told when messages were lost.
func startLinks(queue *hintQueue, failed func()) (stop func(), err error) {
	updates := make(chan netlink.LinkUpdate, 64)
	done := make(chan struct{})
	err = netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{
		ErrorCallback:     func(error) { failed() },
		ReceiveBufferSize: 1 << 20, // a storm of guests makes many messages
	})
	if err != nil {
		close(done)
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for u := range updates { // closed when the subscription ends
			if h, ok := linkHint(u); ok {
				queue.kick(h)
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}, nil
}
