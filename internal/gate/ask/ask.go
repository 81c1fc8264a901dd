package ask

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Limits of one call.
const (
	// AcceptLimit is how long the agent may take to accept a call: from the
	// connection to the header of its response. It also bounds the whole answer
	// where libvirtd's event loop may stand still meanwhile.
	AcceptLimit = time.Second
	// DocumentLimit is how long libvirtd may take to hand over the document, which
	// it has ready.
	DocumentLimit = 5 * time.Second
	// DocumentSize bounds the document on stdin.
	DocumentSize = 16 << 20
)

// DefaultTimeout is gate.timeout where nothing else is said: how long the agent
// may take for queue and scripts after it has accepted a call.
const DefaultTimeout = 20 * time.Second

// RunDir is where the agent has what lives as long as the boot: its socket and its state.
const RunDir = "/run/hookbridge"

// DefaultSocket is where the agent listens.
const DefaultSocket = RunDir + "/hookbridge.sock"

// Call is one call of a guest hook, in the form that the agent reads.
type Call struct {
	Guest    string `json:"guest"`  // the hook's name: qemu, lxc
	Object   string `json:"object"` // the guest's name
	Op       string `json:"op"`
	SubOp    string `json:"sub_op"`
	Extra    string `json:"extra"`
	PID      int    `json:"pid"` // of the libvirtd that called the hook
	Document string `json:"document"`

	Timeout     int64  `json:"timeout_ms"`  // how long the answer is waited for
	Unavailable Policy `json:"unavailable"` // what becomes of the guest if the scripts cannot be asked
}

// handed lists the operations that the agent is told of, and whether it may
// refuse them.
var handed = map[string]struct{ refusable, quick bool }{
	"prepare":   {refusable: true},
	"start":     {refusable: true},
	"stopped":   {quick: true},
	"release":   {quick: true},
	"reconnect": {}, // libvirtd would kill the guest
}

// Main is "hookbridge gate run". It returns the exit status: 0 lets libvirtd go
// on, 1 makes it refuse the guest, 2 is a wrong command line.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	call, socket, timeout, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if call.Op == "migrate" || call.Op == "restore" {
		// libvirtd takes what comes back for the guest's document.
		if _, err := io.Copy(stdout, stdin); err != nil {
			fmt.Fprintf(stderr, "hookbridge: %v\n", err)
			return 1
		}
		return 0
	}
	op, ok := handed[call.Op]
	if !ok {
		return 0
	}
	if op.quick {
		// The agent only queues these.
		timeout = min(timeout, AcceptLimit)
	}
	call.Timeout = timeout.Milliseconds()
	answer, err := put(&call, stdin, socket, timeout)
	switch {
	case err != nil && !op.refusable:
		fmt.Fprintf(stderr, "hookbridge: %s of guest %q was not told to the agent: %v\n", call.Op, call.Object, err)
	case err != nil && call.Unavailable == Deny:
		fmt.Fprintf(stderr, "hookbridge: guest %q is refused, since the agent could not be asked (gate.unavailable = deny): %v\n", call.Object, err)
		return 1
	case err != nil:
		fmt.Fprintf(stderr, "hookbridge: guest %q is let pass, though the agent could not be asked (gate.unavailable = allow): %v\n", call.Object, err)
	default:
		if answer.Message != "" {
			fmt.Fprintln(stderr, strings.TrimRight(answer.Message, "\n"))
		}
		if !*answer.Allow && op.refusable {
			return 1
		}
	}
	return 0
}

// parse reads the command line, and tells of one that is wrong on stderr. The error is
// [flag.ErrHelp] where somebody has asked for help.
func parse(args []string, stderr io.Writer) (call Call, socket string, timeout time.Duration, err error) {
	call.Unavailable = Allow
	flags := flag.NewFlagSet("hookbridge gate run", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&call.Guest, "guest", "", "the hook's `name`: qemu or lxc")
	flags.IntVar(&call.PID, "pid", os.Getppid(), "process id of the calling libvirtd")
	flags.StringVar(&socket, "socket", DefaultSocket, "the agent's socket")
	flags.DurationVar(&timeout, "timeout", DefaultTimeout, "how long the agent may take")
	flags.Var(&call.Unavailable, "unavailable", "what happens without the agent: allow or deny")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "hookbridge gate run is called by the shim that hookbridge gate install writes:\n"+
			"  hookbridge gate run --guest qemu [flags] -- GUEST OP SUB_OP EXTRA")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return call, socket, timeout, err
	}
	if call.Guest == "" || timeout <= 0 || flags.NArg() < 2 || flags.NArg() > 4 {
		flags.Usage()
		return call, socket, timeout, errUsage
	}
	for i, field := range []*string{&call.Object, &call.Op, &call.SubOp, &call.Extra} {
		*field = flags.Arg(i)
	}
	return call, socket, timeout, nil
}

var errUsage = errors.New("wrong command line")

func put(call *Call, stdin io.Reader, socket string, timeout time.Duration) (*Answer, error) {
	document, err := readDocument(stdin, DocumentLimit)
	if err != nil {
		return nil, fmt.Errorf("the guest's document: %w", err)
	}
	call.Document = string(document)
	return Gate(socket, call, timeout)
}

// readDocument reads all of stdin. The limit holds for files.
func readDocument(stdin io.Reader, limit time.Duration) ([]byte, error) {
	if f, ok := stdin.(*os.File); ok {
		stdin = &stream{fd: int(f.Fd()), deadline: time.Now().Add(limit)}
	}
	document, err := io.ReadAll(io.LimitReader(stdin, DocumentSize+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("it did not come to an end in %v", limit)
	case err == nil && len(document) > DocumentSize:
		return nil, fmt.Errorf("it is larger than %d MiB", DocumentSize>>20)
	}
	return document, err
}
