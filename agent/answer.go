package agent

import (
	"errors"
	"io"

	"github.com/sirupsen/logrus"
	"libvirt.org/go/libvirt"

	"hookbridge/internal/libvirtd"
)

// Answer is what a libvirt connection shows to one who asks.
type Answer struct {
	URI     string `json:"uri"`
	Version uint32 `json:"version"` // libvirt's, on the daemon's side; 0 if it does not tell

	// Features are those that an agent would use.
	Features []Feature `json:"features"`

	// Failed says why an agent would get nowhere; empty if it would watch. Code is
	// libvirt's number for that, 0 if it has none, and Stage how far it came.
	Failed string `json:"failed,omitempty"`
	Code   int    `json:"code,omitempty"`
	Stage  Stage  `json:"stage,omitempty"`
}

// Stage is a step of setting up a connection.
type Stage string

// The steps, in their order.
const (
	StageLibrary  Stage = "library"  // libvirt's client library
	StageConnect  Stage = "connect"  // the connection itself
	StageEvents   Stage = "events"   // domain lifecycle events
	StageDomains  Stage = "domains"  // listing the domains
	StageNetworks Stage = "networks" // listing the networks
)

// Ask connects as an agent does, registers for the same events, lists what is
// there, and closes the connection. It waits for as long as libvirt does, which
// may be for ever: call it in a process that can be killed.
func Ask(uri string) Answer {
	a := Answer{URI: uri}
	fail := func(stage Stage, err error) Answer {
		a.Stage, a.Failed = stage, err.Error()
		var e libvirt.Error
		if errors.As(err, &e) {
			a.Code, a.Failed = int(e.Code), e.Message
		}
		return a
	}
	stop, err := runEventLoop(func(error) {})
	if err != nil {
		return fail(StageLibrary, err)
	}
	defer stop()
	conn, err := libvirt.NewConnect(uri)
	if err != nil {
		return fail(StageConnect, err)
	}
	defer func() { _, _ = conn.Close() }()
	a.Version, _ = conn.GetLibVersion()

	has := newFeatures(nil)
	closed := conn.RegisterCloseCallback(func(*libvirt.Connect, libvirt.ConnectCloseReason) {})
	if has.found(CloseCallback, closed == nil); closed == nil {
		defer func() { _ = conn.UnregisterCloseCallback() }()
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	subs, err := subscribe(conn, newHintQueue(nil), has, logrus.NewEntry(quiet))
	if err != nil {
		return fail(StageEvents, err)
	}
	defer func() {
		for _, s := range subs {
			_ = s.deregister()
		}
	}()
	if _, err := activeDomains(conn, has); err != nil {
		return fail(StageDomains, err)
	}
	// A driver without networks, such as esx, is watched for its domains.
	if _, err := activeNetworks(conn, has); err != nil && !hasCode(err, libvirt.ERR_NO_SUPPORT) {
		return fail(StageNetworks, err)
	}
	has.found(Kicks, libvirtd.OnThisHost(uri))
	for _, f := range Features() {
		if has.has(f) {
			a.Features = append(a.Features, f)
		}
	}
	return a
}
