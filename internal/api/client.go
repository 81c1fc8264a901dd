package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"time"

	"golang.org/x/sys/unix"

	"hookbridge/agent"
	"hookbridge/internal/history"
)

// Client asks an agent. It is for one goroutine at a time.
type Client struct {
	socket string
	http   *http.Client
}

// UnreachableError says that no agent could be asked: none runs, or it does not answer,
// or one may not ask it.
type UnreachableError struct {
	Socket string
	Reason string // one clause
	Remedy string // a command, or advice
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the agent cannot be reached on %s: %s; %s", e.Socket, e.Reason, e.Remedy)
}

// ResponseError is what the agent has said instead of an answer.
type ResponseError struct {
	Status int // of HTTP, 400 or more
	Text   string
}

func (e *ResponseError) Error() string { return e.Text }

// NewClient returns a client for the agent on a socket.
func NewClient(socket string) *Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}}
}

// answerLimit is how long an agent may take for what it has at hand.
const answerLimit = 10 * time.Second

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (status agent.Status, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerLimit, errNoAnswer)
	defer cancel()
	return status, c.exchange(ctx, "GET", "/v1/status", nil, &status)
}

// Fire makes a call by hand, and waits for its end.
func (c *Client) Fire(ctx context.Context, req agent.FireRequest) (report agent.FireReport, err error) {
	return report, c.exchange(ctx, "POST", "/v1/fire", req, &report)
}

// StartNetwork starts a network, and waits until its scripts have ended. The error holds
// their words, or libvirt's.
func (c *Client) StartNetwork(ctx context.Context, req NetworkStart) error {
	return c.exchange(ctx, "POST", "/v1/network/start", req, &struct{}{})
}

// History calls take with each run, until that returns an error, there are no more, or,
// where the query is to follow, ctx or the agent ends.
func (c *Client) History(ctx context.Context, q HistoryQuery, take func(history.Entry) error) error {
	path := "/v1/history"
	if v := q.values(); len(v) > 0 {
		path += "?" + v.Encode()
	}
	response, err := c.send(ctx, "GET", path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewReader(response.Body)
	for {
		line, err := lines.ReadBytes('\n')
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return c.unreachable(ctx, err)
		}
		var e struct {
			history.Entry
			failure
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return fmt.Errorf("the agent's answer cannot be read: %w", err)
		}
		if e.Error != "" {
			return errors.New(e.Error)
		}
		if err := take(e.Entry); err != nil {
			return err
		}
	}
}

// exchange sends a request and reads the answer.
func (c *Client) exchange(ctx context.Context, method, path string, body, answer any) error {
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		if ctx.Err() != nil {
			return c.unreachable(ctx, err)
		}
		return fmt.Errorf("the agent's answer cannot be read: %w", err)
	}
	return nil
}

// send sends a request and returns the response, which is a good one.
func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://hookbridge"+path, content)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if response.StatusCode == http.StatusOK {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	said := failure{}
	if err := json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&said); err != nil || said.Error == "" {
		said.Error = "the agent answered " + response.Status
	}
	if response.StatusCode == http.StatusForbidden {
		return nil, &UnreachableError{c.socket, said.Error, "run this as root"}
	}
	return nil, &ResponseError{response.StatusCode, said.Error}
}

var errNoAnswer = fmt.Errorf("it does not answer within %s", answerLimit)

// unreachable says why the agent could not be asked, and what to do.
func (c *Client) unreachable(ctx context.Context, err error) error {
	switch {
	case errors.Is(context.Cause(ctx), errNoAnswer):
		return &UnreachableError{c.socket, errNoAnswer.Error(), "look at it with: systemctl status hookbridge"}
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED):
		return &UnreachableError{c.socket, "no agent runs", "start it with: systemctl start hookbridge"}
	case errors.Is(err, fs.ErrPermission):
		return &UnreachableError{c.socket, "permission denied", "run this as root"}
	}
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next // the innermost: without the address that net/http made up
	}
	return &UnreachableError{c.socket, "it went away: " + err.Error(), "look at it with: systemctl status hookbridge"}
}
