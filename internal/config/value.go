package config

import (
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"hookbridge/internal/gate/ask"
	"hookbridge/translate"
)

// Value is where an option is kept in certain settings. It is what a flag wants.
type Value struct {
	option Option
	field  any
	given  bool // a list that is given again grows
}

// Value returns where the option is kept in s.
func (o Option) Value(s *Settings) *Value { return &Value{option: o, field: o.field(s)} }

// Copy takes the option's value over from other settings.
func (o Option) Copy(to, from *Settings) {
	reflect.ValueOf(o.field(to)).Elem().Set(reflect.ValueOf(o.field(from)).Elem())
}

// Set reads a value as it stands on a command line. The error says what would be
// right, without the option's name.
func (v *Value) Set(text string) error {
	switch field := v.field.(type) {
	case *[]string:
		if !v.given {
			*field = nil
		}
		v.given = true
		if v.option.kind == kindURIs {
			*field = append(*field, text)
			return nil
		}
		for name := range strings.SplitSeq(text, ",") {
			if name = strings.TrimSpace(name); name != "" {
				*field = append(*field, name)
			}
		}
		return nil
	case *translate.Ops:
		if text == "auto" {
			*field = nil
			return nil
		}
		ops, err := translate.ParseOps(text)
		if err != nil {
			return fmt.Errorf("%w; or auto", err)
		}
		*field = ops
		return nil
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is not a number from 0 up", text)
		}
		*field = n
		return nil
	case *time.Duration:
		d, err := v.duration(text)
		if err != nil {
			return err
		}
		*field = d
		return nil
	}
	switch v.option.kind {
	case kindWord:
		if !slices.Contains(v.option.Words, text) {
			return fmt.Errorf("%q is none of %s", text, strings.Join(v.option.Words, ", "))
		}
	case kindAddress:
		address, err := listenAddress(text)
		if err != nil {
			return err
		}
		text = address
	}
	reflect.ValueOf(v.field).Elem().SetString(text)
	return nil
}

func (v *Value) duration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write a number with a unit, such as 300s, 5m or 1h30m", text)
	}
	switch {
	case v.option.Key == "timeout" && d < 0:
		return 0, errors.New("it cannot be negative; 0 means no limit")
	case v.option.Key == "gate.timeout" && d <= 0:
		return 0, errors.New("libvirtd waits meanwhile, so there must be one, such as " + ask.DefaultTimeout.String())
	}
	return d, nil
}

// listenAddress completes an address to listen on. One without a host is that of the
// loopback interface: to be reached from elsewhere takes a word.
func listenAddress(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	const right = "write host:port, such as 127.0.0.1:9177"
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%q is no address: %s", text, right)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q has no port number from 0 to 65535: %s", text, right)
	} else {
		port = strconv.FormatUint(n, 10)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	if net.ParseIP(host) == nil && strings.ContainsAny(host, " /:%\"'") {
		return "", fmt.Errorf("%q has no host: %s", text, right)
	}
	return net.JoinHostPort(host, port), nil
}

// String returns the value as Set reads it.
func (v *Value) String() string {
	if v.field == nil {
		return "" // pflag makes a zero Value, to find out what zero looks like
	}
	switch field := v.field.(type) {
	case *[]string:
		return strings.Join(*field, ",")
	case *translate.Ops:
		if *field == nil {
			return "auto"
		}
		return field.String()
	case *int:
		return strconv.Itoa(*field)
	case *time.Duration:
		return shortDuration(*field)
	}
	return reflect.ValueOf(v.field).Elem().String()
}

// shortDuration is 5m, where Duration.String is 5m0s.
func shortDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Type names the kind of value in a usage text.
func (v *Value) Type() string {
	switch v.option.kind {
	case kindWord:
		return "word"
	case kindURIs, kindNames, kindOps:
		return "list"
	case kindWhole:
		return "number"
	case kindDuration:
		return "duration"
	}
	return "string"
}
