package api

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"

	"hookbridge/agent"
	"hookbridge/internal/gate/ask"
)

// gateBody bounds a call of the gate: a document of [ask.DocumentSize], of which JSON
// may make six bytes from one.
const gateBody = 100 << 20

// gate accepts a call and answers it. The header goes out as soon as the call has been
// read: the shim gives the agent one second for that.
func (s *Server) gate(w http.ResponseWriter, req *http.Request) {
	var call agent.GateCall
	if !decode(w, req, gateBody, false, &call) { // a newer shim may say more
		return
	}
	switch {
	case call.Guest == "" || call.Object == "" || call.Op == "":
		fail(w, http.StatusBadRequest, "a call of the gate has at least guest, object and op")
		return
	case len(call.Document) > ask.DocumentSize:
		fail(w, http.StatusRequestEntityTooLarge, "the guest's document is too large")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	ctx, gone := context.WithCancel(req.Context())
	defer gone()
	if call.Op == "prepare" {
		s.leaveWord(call.Guest)
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		gone() // the shim: the agent has to know that libvirtd goes on without it
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s.Agent.Gate(ctx, call))
}

// leaveWord tells the shim that this host's libvirtd has the operation prepare: then it
// need not ask at start, which costs a process in every start of a guest.
func (s *Server) leaveWord(guest string) {
	if guest != "qemu" && guest != "lxc" {
		return
	}
	if _, told := s.prepares.LoadOrStore(guest, true); told {
		return
	}
	path := filepath.Join(filepath.Dir(s.Socket), "prepare."+guest)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		s.Log.WithError(err).Debug("the gate's shim asks at start, too")
	}
}
