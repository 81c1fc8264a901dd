package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	stdlog "log"
	"net/http"
	"os"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/agent"
)

// failure is the body of an answer that is none.
type failure struct {
	Error string `json:"error"`
}

func fail(w http.ResponseWriter, status int, text string) { reply(w, status, failure{text}) }

// reply sends a value. Who does not take it is cut off.
func reply(w http.ResponseWriter, status int, value any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(replyLimit))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // the client has gone
}

// failWith sends what went wrong in the agent, with the status that says whose fault it
// is.
func failWith(w http.ResponseWriter, err error, status int) {
	var request *agent.RequestError
	var missing *agent.NotFoundError
	switch {
	case errors.As(err, &request):
		status = http.StatusBadRequest
	case errors.As(err, &missing):
		status = http.StatusNotFound
	case errors.Is(err, agent.ErrNoConnection), errors.Is(err, agent.ErrNotMade), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		status = http.StatusServiceUnavailable
	}
	fail(w, status, err.Error())
}

// decode reads the body, one JSON value of at most limit bytes, in the time that it may
// take. It answers itself where that fails, and reports whether it went well.
func decode(w http.ResponseWriter, req *http.Request, limit int64, strict bool, value any) bool {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyLimit))
	body := http.MaxBytesReader(w, req.Body, limit)
	decoder := json.NewDecoder(body)
	if strict {
		decoder.DisallowUnknownFields()
	}
	err := decoder.Decode(value)
	if err == nil {
		if _, more := decoder.Token(); !errors.Is(more, io.EOF) {
			err = more
			if err == nil {
				err = errors.New("there is more behind it")
			}
		}
	}
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = control.SetReadDeadline(time.Time{})
		return true
	case errors.As(err, &large):
		w.Header().Set("Connection", "close")
		fail(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		fail(w, http.StatusRequestTimeout, fmt.Sprintf("the body did not come to an end in %s", bodyLimit))
	case errors.Is(err, io.EOF):
		fail(w, http.StatusBadRequest, "there is no body")
	default:
		fail(w, http.StatusBadRequest, "the body is not the JSON that was expected: "+err.Error())
	}
	return false
}

// quietLog is net/http's own log: what clients do wrong.
func quietLog(log logrus.FieldLogger) *stdlog.Logger {
	return stdlog.New(lineWriter(func(line string) { log.Debug("socket: " + line) }), "", 0)
}

type lineWriter func(string)

func (w lineWriter) Write(p []byte) (int, error) {
	w(string(p[:max(0, len(p)-1)]))
	return len(p), nil
}
