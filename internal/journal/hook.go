package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

// Hook sends each line of a logger to the journal, as an entry with fields.
type Hook struct {
	conn  *net.UnixConn
	to    *net.UnixAddr
	name  string
	stead io.Writer // for what the journal does not take
}

// NewHook returns a hook for the journal's socket; name is the SYSLOG_IDENTIFIER
// of the entries, and stead takes as text what cannot be sent. The socket stays open
// for as long as the hook is used.
func NewHook(socket, name string, stead io.Writer) (*Hook, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("a socket for the journal: %w", err)
	}
	return &Hook{conn: conn, to: &net.UnixAddr{Name: socket, Net: "unixgram"}, name: name, stead: stead}, nil
}

// Levels are all that there are.
func (h *Hook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire sends one entry.
func (h *Hook) Fire(e *logrus.Entry) error {
	if _, err := h.conn.WriteToUnix(h.entry(e), h.to); err == nil {
		return nil
	}
	// Too long for a datagram, or no journal there.
	line, err := Formatter{}.Format(e)
	if err == nil {
		_, err = h.stead.Write(line)
	}
	return err
}

// entry is one entry in the journal's own protocol
// (systemd.io/JOURNAL_NATIVE_PROTOCOL).
func (h *Hook) entry(e *logrus.Entry) []byte {
	var b bytes.Buffer
	field(&b, "MESSAGE", text(e))
	field(&b, "PRIORITY", strconv.Itoa(priority(e.Level)))
	field(&b, "SYSLOG_IDENTIFIER", h.name)
	for _, key := range slices.Sorted(maps.Keys(e.Data)) {
		if name := fieldName(key); name != "" {
			field(&b, name, fmt.Sprint(e.Data[key]))
		}
	}
	return b.Bytes()
}

func field(b *bytes.Buffer, name, value string) {
	b.WriteString(name)
	if !strings.Contains(value, "\n") {
		b.WriteString("=" + value + "\n")
		return
	}
	b.WriteByte('\n')
	b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
	b.WriteString(value + "\n")
}

// fieldName makes a name of what the journal takes: A to Z, 0 to 9 and _, none of
// the latter two in front. What would overwrite a field of the entry itself stays out.
func fieldName(key string) string {
	name := strings.TrimLeft(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key), "_0123456789")
	switch name {
	case "MESSAGE", "PRIORITY", "SYSLOG_IDENTIFIER":
		return ""
	}
	return name[:min(len(name), 64)]
}
