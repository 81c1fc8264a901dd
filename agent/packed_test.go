package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hookbridge/translate"
)

func TestCallIsUnpackedAsItWas(t *testing.T) {
	domain := "<domain type='kvm' id='3'>\n  <name>a</name>\n  <devices>\n    <interface type='network'/>\n  </devices>\n</domain>\n"
	call := translate.Call{
		Op: translate.OpPlugged, Cause: translate.CauseEvent, Conn: "c", Network: "n",
		Domain: &translate.DomainRef{Conn: "c", Name: "a", UUID: "u", ID: 3}, NIC: &translate.NICRef{MAC: "m"},
	}
	for name, docs := range map[string]translate.Documents{
		"all":     {Interface: translate.Interface{Text: "<interface type='network'/>", Indent: 4, Type: "network"}, Network: "<network>\n</network>\n", Domain: domain},
		"network": {Network: "<network>\n</network>\n"},
		"none":    {},
	} {
		t.Run(name, func(t *testing.T) {
			want := plannedCall{Chain: []byte("12345678"), Guest: "g", Planned: time.Unix(1, 2).UTC(), Silent: true, Call: call}
			want.Call.Documents = docs
			packed, err := packCall(want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := unpackCall(packed)
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%v\n%s", err, diff)
			}
			for n := range packed { // must not panic
				_, _ = unpackCall(packed[:n])
			}
		})
	}
	cut, err := encodeWith(keptCall{Interface: 5, Network: 1 << 40}, "short")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unpackCall(cut); err == nil {
		t.Error("documents that are cut short are no error")
	}
}
