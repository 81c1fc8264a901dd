package api

import (
	"context"
	"net/http"

	"hookbridge/agent"
)

// requestBody bounds the body of a request that is not the gate's.
const requestBody = 64 << 10

// NetworkStart asks for the start of a network.
type NetworkStart struct {
	Network    string `json:"network"`
	Connection string `json:"connection,omitempty"` // its URI, where several are watched
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	if err := s.Agent.Healthy(); err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	reply(w, http.StatusOK, struct {
		OK bool `json:"ok"`
	}{true})
}

func (s *Server) status(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithTimeout(req.Context(), readyLimit)
	defer cancel()
	status, err := s.Agent.Status(ctx)
	if err != nil {
		failWith(w, err, http.StatusServiceUnavailable)
		return
	}
	status.Version = s.Version
	reply(w, http.StatusOK, status)
}

func (s *Server) fire(w http.ResponseWriter, req *http.Request) {
	var wanted agent.FireRequest
	if !decode(w, req, requestBody, true, &wanted) {
		return
	}
	report, err := s.Agent.Fire(req.Context(), wanted)
	if err != nil {
		failWith(w, err, http.StatusInternalServerError)
		return
	}
	reply(w, http.StatusOK, report)
}

func (s *Server) startNetwork(w http.ResponseWriter, req *http.Request) {
	var wanted NetworkStart
	if !decode(w, req, requestBody, true, &wanted) {
		return
	}
	if wanted.Network == "" {
		fail(w, http.StatusBadRequest, "no network named")
		return
	}
	if err := s.Agent.StartNetwork(req.Context(), wanted.Connection, wanted.Network); err != nil {
		failWith(w, err, http.StatusConflict)
		return
	}
	reply(w, http.StatusOK, struct{}{})
}
