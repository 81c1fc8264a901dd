package api

import (
	"context"
	"encoding/json"
	"net/http"

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
	if err := http.NewResponseController(w).Flush(); err != nil {
		gone() // the shim: the agent has to know that libvirtd goes on without it
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s.Agent.Gate(ctx, call))
}
