package journal

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sirupsen/logrus"
)

// Formatter writes lines for a journal that reads them from a stream: with their
// priority in front, without a time, which the journal has.
type Formatter struct{}

// Format never fails.
func (Formatter) Format(e *logrus.Entry) ([]byte, error) {
	return fmt.Appendf(nil, "<%d>%s\n", priority(e.Level), strings.ReplaceAll(text(e), "\n", " ")), nil
}

// text is the message with its fields, which are what tells one from another.
func text(e *logrus.Entry) string {
	var b strings.Builder
	b.WriteString(e.Message)
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		value := fmt.Sprint(e.Data[name])
		if value == "" || strings.ContainsAny(value, " \t\n\"=") {
			value = strconv.Quote(value)
		}
		b.WriteString(" " + name + "=" + value)
	}
	return b.String()
}

// priority is a level in syslog's numbers.
func priority(level logrus.Level) int {
	switch level {
	case logrus.PanicLevel, logrus.FatalLevel:
		return 2
	case logrus.ErrorLevel:
		return 3
	case logrus.WarnLevel:
		return 4
	case logrus.InfoLevel:
		return 6
	}
	return 7
}
