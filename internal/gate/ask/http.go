package ask

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Answer is what the agent says to a call.
type Answer struct {
	Allow   *bool  `json:"allow"`
	Message string `json:"message"` // for the administrator who started the guest
}

// answerSize bounds the agent's answer.
const answerSize = 1 << 20

// Gate puts a call before the agent and returns its answer, in which Allow is
// set. The agent must accept the call within AcceptLimit and answer within the
// timeout from then on; the error says which it missed, or why it was not asked.
func Gate(socket string, call *Call, timeout time.Duration) (*Answer, error) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(call); err != nil {
		return nil, err
	}
	response, err := roundTrip(socket, "POST", "/v1/gate", body.Bytes())
	if err != nil {
		return nil, err
	}
	defer response.Close()
	response.conn.deadline = time.Now().Add(timeout)
	if response.status != 200 {
		line, _, _ := strings.Cut(response.text(), "\n")
		return nil, fmt.Errorf("the agent answered %d: %s", response.status, line)
	}
	var answer Answer
	switch err := json.NewDecoder(response).Decode(&answer); {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("no answer from the agent in %v", timeout)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errors.New("the agent went away without an answer")
	case err != nil:
		return nil, fmt.Errorf("the agent's answer cannot be read: %w", err)
	case answer.Allow == nil:
		return nil, errors.New("the agent's answer says neither yes nor no")
	}
	return &answer, nil
}

// Healthz asks the agent whether it works. The error is nil if it says so.
func Healthz(socket string) error {
	response, err := roundTrip(socket, "GET", "/healthz", nil)
	if err != nil {
		return err
	}
	defer response.Close()
	if response.status != 200 {
		line, _, _ := strings.Cut(response.text(), "\n")
		return fmt.Errorf("the agent answered %d: %s", response.status, line)
	}
	return nil
}

// response is an answer of which the body is still to be read.
type response struct {
	io.Reader
	conn   *stream
	status int
}

// Close closes the connection, and so gives up what has not been read.
func (r *response) Close() { r.conn.Close() }

func (r *response) text() string {
	text, _ := io.ReadAll(r)
	return string(text)
}

// roundTrip sends a request and reads the header of the response, all within
// AcceptLimit. It speaks HTTP/1.0, in which a body ends with the connection.
func roundTrip(socket, method, path string, body []byte) (*response, error) {
	deadline := time.Now().Add(AcceptLimit)
	conn, err := dial(socket, deadline)
	if err != nil {
		return nil, err
	}
	status, rest, err := exchange(conn, method, path, body)
	if err != nil {
		conn.Close()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("%s: the agent did not accept the call in %v", socket, AcceptLimit)
		}
		return nil, err
	}
	return &response{Reader: io.LimitReader(rest, answerSize), conn: conn, status: status}, nil
}

func exchange(conn *stream, method, path string, body []byte) (int, io.Reader, error) {
	var request bytes.Buffer
	fmt.Fprintf(&request, "%s %s HTTP/1.0\r\nHost: hookbridge\r\n", method, path)
	if body != nil {
		fmt.Fprintf(&request, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	request.WriteString("\r\n")
	request.Write(body)
	// An agent that refuses the request closes before it has read all of it, and
	// its answer is there nevertheless.
	_, writeErr := conn.Write(request.Bytes())
	if errors.Is(writeErr, os.ErrDeadlineExceeded) {
		return 0, nil, writeErr
	}
	limited := io.LimitReader(conn, answerSize)
	reader := bufio.NewReader(limited)
	status, err := readHeader(reader)
	if err != nil && writeErr != nil {
		err = writeErr
	}
	return status, reader, err
}

// readHeader reads a response up to its body and returns the status.
func readHeader(r *bufio.Reader) (int, error) {
	status := 0
	for {
		line, err := r.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return 0, errors.New("the agent went away without an answer")
		}
		if err != nil {
			return 0, err
		}
		line = strings.TrimRight(line, "\r\n")
		if status != 0 {
			if line == "" {
				return status, nil
			}
			continue
		}
		version, rest, _ := strings.Cut(line, " ")
		code, _, _ := strings.Cut(rest, " ")
		status, err = strconv.Atoi(code)
		if !strings.HasPrefix(version, "HTTP/1.") || err != nil || status < 200 {
			return 0, errors.New("the agent's answer is not HTTP")
		}
	}
}
