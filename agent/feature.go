package agent

import (
	"fmt"
	"slices"
	"strings"
)

// Feature is something of libvirt's that the agent uses where it exists and does
// without where it does not.
type Feature string

// The features, with the libvirt that brought each.
const (
	NetworkEvents      Feature = "network-events"       // network lifecycle events, 1.2.1
	DeviceAdded        Feature = "device-added"         // DEVICE_ADDED events, 1.2.15
	DeviceRemoved      Feature = "device-removed"       // DEVICE_REMOVED events, 1.1.1
	DomainEventsDetail Feature = "domain-events-detail" // why a domain started or stopped
	ListAll            Feature = "list-all"             // ListAllDomains 0.9.13, ListAllNetworks 0.10.2
	CloseCallback      Feature = "close-callback"       // being told of a lost connection, 0.10.0
	Kicks              Feature = "kicks"                // libvirtd's status files and the kernel's links
)

// Features returns all of them.
func Features() []Feature {
	return []Feature{NetworkEvents, DeviceAdded, DeviceRemoved, DomainEventsDetail, ListAll, CloseCallback, Kicks}
}

// ParseFeatures reads a comma separated list of features. An unknown one is an
// error that lists the known ones. An empty list is one of none.
func ParseFeatures(list string) ([]Feature, error) {
	var features []Feature
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		if !slices.Contains(Features(), Feature(name)) {
			return nil, fmt.Errorf("unknown feature %q: the features are %s", name, joinFeatures(Features()))
		}
		features = append(features, Feature(name))
	}
	return features, nil
}

func joinFeatures(features []Feature) string {
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}

// features are those that a session has. Each is probed on its own: it takes the
// daemon and the client library to have it, and nobody to have switched it off.
type features struct {
	without []Feature
	have    map[Feature]bool
}

func newFeatures(without []Feature) *features {
	return &features{without: without, have: map[Feature]bool{}}
}

// allowed reports whether a feature may be tried.
func (f *features) allowed(feature Feature) bool { return !slices.Contains(f.without, feature) }

// found notes whether a feature is there.
func (f *features) found(feature Feature, there bool) { f.have[feature] = there }

func (f *features) has(feature Feature) bool { return f.have[feature] }

// String lists those that are there.
func (f *features) String() string {
	var there []Feature
	for _, feature := range Features() {
		if f.have[feature] {
			there = append(there, feature)
		}
	}
	return joinFeatures(there)
}
