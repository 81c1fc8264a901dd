package main

import (
	"testing"

	"hookbridge/agent"
)

func TestStatusLine(t *testing.T) {
	qemu := agent.ConnectionStatus{URI: "qemu:///system", Connected: true}
	lxc := agent.ConnectionStatus{URI: "lxc:///", Optional: true}
	for _, test := range []struct {
		status      agent.Status
		up, plugged int
		want        string
	}{
		{agent.Status{Connections: []agent.ConnectionStatus{qemu, lxc}}, 1, 3,
			"qemu:///system: 1 network, 3 interfaces plugged"},
		{agent.Status{Connections: []agent.ConnectionStatus{qemu, {URI: "xen:///"}}, Queues: agent.QueueStatus{CallsPlanned: 1, CallsHeld: 2}}, 0, 0,
			"qemu:///system: 0 networks, 0 interfaces plugged; waiting for xen:///; 3 calls queued"},
		{agent.Status{Connections: []agent.ConnectionStatus{lxc}, Queues: agent.QueueStatus{CallsHeld: 1}}, 0, 0,
			"waiting for a libvirtd; 1 call queued"},
	} {
		if got := statusLine(test.status, test.up, test.plugged); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
