package main

import (
	"testing"

	"hookbridge/agent"
)

func TestStatusLine(t *testing.T) {
	qemu := agent.ConnectionStatus{URI: "qemu:///system", Connected: true}
	lxc := agent.ConnectionStatus{URI: "lxc:///", Optional: true}
	networks := []agent.NetworkStatus{
		{Up: true, Interfaces: []agent.InterfaceStatus{{}, {}, {Refused: true}}},
		{Interfaces: []agent.InterfaceStatus{{}}},
	}
	for _, test := range []struct {
		status agent.Status
		want   string
	}{
		{agent.Status{Connections: []agent.ConnectionStatus{qemu, lxc}, Networks: networks},
			"qemu:///system: 1 network, 3 interfaces plugged"},
		{agent.Status{Connections: []agent.ConnectionStatus{qemu, {URI: "xen:///"}}, Queues: agent.QueueStatus{CallsPlanned: 1, CallsHeld: 2}},
			"qemu:///system: 0 networks, 0 interfaces plugged; waiting for xen:///; 3 calls queued"},
		{agent.Status{Connections: []agent.ConnectionStatus{lxc}, Queues: agent.QueueStatus{CallsHeld: 1}},
			"waiting for a libvirtd; 1 call queued"},
	} {
		if got := statusLine(test.status); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}
