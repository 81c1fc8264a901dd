package agent

import (
	"bytes"
	_ "embed" // the dictionary
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/s2"

	"hookbridge/translate"
)

// What is kept is a line of JSON, behind it documents as they are, all compressed:
// libvirt's documents repeat each other, and there are thousands of them, in the store
// and in memory.

// usualText is what documents of libvirt usually consist of. With it s2 makes 550 bytes
// of a guest with four interfaces, in 6 µs; alone 1,300. (zstd makes 470 in 60 µs.) What
// is packed can only be unpacked with the very same text: a change of it is a new schema
// of the store.
//
//go:embed usual.xml
var usualText []byte

var dictionary = s2.MakeDict(usualText, nil)

// encode packs a value.
func encode(value any) ([]byte, error) { return encodeWith(value) }

// decode unpacks what encode has packed.
func decode(packed []byte, value any) error {
	_, err := decodeWith(packed, value)
	return err
}

// packing are buffers to pack in.
type packing struct {
	text   bytes.Buffer
	packed []byte
}

var packings = sync.Pool{New: func() any { return new(packing) }}

// encodeWith packs a value and documents, which follow the line of JSON as they are.
func encodeWith(value any, documents ...string) ([]byte, error) {
	p := packings.Get().(*packing)
	defer packings.Put(p)
	p.text.Reset()
	e := json.NewEncoder(&p.text)
	e.SetEscapeHTML(false) // six bytes for each < of a network's document
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	for _, d := range documents {
		p.text.WriteString(d)
	}
	if need := s2.MaxEncodedLen(p.text.Len()); cap(p.packed) < need {
		p.packed = make([]byte, need)
	}
	return bytes.Clone(dictionary.Encode(p.packed[:cap(p.packed)], p.text.Bytes())), nil // of its size, not of the worst case's
}

// decodeWith unpacks what encodeWith has packed.
func decodeWith(packed []byte, value any) (documents string, err error) {
	text, err := dictionary.Decode(nil, packed)
	if err != nil {
		return "", fmt.Errorf("unpacking: %w", err)
	}
	line, rest, _ := bytes.Cut(text, []byte{'\n'})
	return string(rest), json.Unmarshal(line, value)
}

// keptCall is a planned call as it is kept, its documents behind it.
type keptCall struct {
	plannedCall
	Interface, Network int // how long these documents are; the rest is the domain's
}

// packCall packs a planned call.
func packCall(p plannedCall) ([]byte, error) {
	docs := &p.Call.Documents
	nic, network, domain := docs.Interface.Text, docs.Network, docs.Domain
	docs.Interface.Text, docs.Network, docs.Domain = "", "", ""
	return encodeWith(keptCall{p, len(nic), len(network)}, nic, network, domain)
}

// unpackCall unpacks what packCall has packed.
func unpackCall(packed []byte) (plannedCall, error) {
	var kept keptCall
	documents, err := decodeWith(packed, &kept)
	if err != nil {
		return kept.plannedCall, err
	}
	nic, network := kept.Interface, kept.Network
	if nic < 0 || network < 0 || nic > len(documents) || network > len(documents)-nic {
		return kept.plannedCall, errors.New("the call's documents are cut short")
	}
	docs := &kept.Call.Documents
	docs.Interface.Text, docs.Network, docs.Domain = documents[:nic], documents[nic:nic+network], documents[nic+network:]
	return kept.plannedCall, nil
}

// keptDomain is the record of a domain as it is kept. Its interfaces are found again
// in the document where they stand there as they are in the record.
type keptDomain struct {
	translate.Domain
	Interfaces []keptInterface `json:",omitempty"`
}

// keptInterface is either the interface at a place in the document, in a network that
// the document may not tell, or an interface that the document does not have.
type keptInterface struct {
	At      int                  `json:",omitempty"`
	Network *string              `json:",omitempty"`
	Whole   *translate.Interface `json:",omitempty"`
}

// packDomain packs the record of a domain. listed are the interfaces of its document, to
// be read from there if they are nil.
func packDomain(d *translate.Domain, listed []translate.Interface) ([]byte, error) {
	kept := keptDomain{Domain: *d, Interfaces: make([]keptInterface, 0, len(d.NICs))}
	kept.NICs, kept.Live = nil, ""
	if listed == nil {
		listed, _ = translate.Interfaces(d.Live) // what can be read is found again
	}
	for i := range d.NICs {
		kept.Interfaces = append(kept.Interfaces, keepInterface(&d.NICs[i], listed))
	}
	return encodeWith(&kept, d.Live)
}

func keepInterface(nic *translate.Interface, listed []translate.Interface) keptInterface {
	for i := range listed {
		if listed[i] == *nic {
			return keptInterface{At: i}
		}
		moved := listed[i]
		if moved.Network = nic.Network; moved == *nic {
			return keptInterface{At: i, Network: &nic.Network}
		}
	}
	return keptInterface{Whole: nic}
}

// unpackDomain unpacks what packDomain has packed.
func unpackDomain(packed []byte) (*translate.Domain, error) {
	var kept keptDomain
	live, err := decodeWith(packed, &kept)
	if err != nil {
		return nil, err
	}
	d := kept.Domain
	d.Live = live
	listed, _ := translate.Interfaces(d.Live) // as when it was packed
	for _, k := range kept.Interfaces {
		switch {
		case k.Whole != nil:
			d.NICs = append(d.NICs, *k.Whole)
		case k.At < 0 || k.At >= len(listed):
			return nil, fmt.Errorf("the document has no interface %d", k.At)
		default:
			nic := listed[k.At]
			if k.Network != nil {
				nic.Network = *k.Network
			}
			d.NICs = append(d.NICs, nic)
		}
	}
	return &d, nil
}
