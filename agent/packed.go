package agent

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/s2"

	"hookbridge/translate"
)

// What is kept is JSON, compressed: libvirt's documents repeat themselves, and there
// are thousands of them, in the store and in memory.

// encode packs a value.
func encode(value any) ([]byte, error) { return encodeWith(value, "") }

// decode unpacks what encode has packed.
func decode(packed []byte, value any) error {
	_, err := decodeWith(packed, value)
	return err
}

// encodeWith packs a value and a document, which follows the line of JSON as it is.
func encodeWith(value any, document string) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false) // six bytes for each < of a document
	if err := e.Encode(value); err != nil {
		return nil, err
	}
	text.WriteString(document)
	return bytes.Clone(s2.Encode(nil, text.Bytes())), nil // of its size, not of the worst case's
}

// decodeWith unpacks what encodeWith has packed.
func decodeWith(packed []byte, value any) (document string, err error) {
	text, err := s2.Decode(nil, packed)
	if err != nil {
		return "", fmt.Errorf("unpacking: %w", err)
	}
	line, rest, _ := bytes.Cut(text, []byte{'\n'})
	return string(rest), json.Unmarshal(line, value)
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

// packDomain packs the record of a domain.
func packDomain(d *translate.Domain) ([]byte, error) {
	kept := keptDomain{Domain: *d, Interfaces: make([]keptInterface, 0, len(d.NICs))}
	kept.NICs, kept.Live = nil, ""
	listed, _ := translate.Interfaces(d.Live) // what can be read is found again
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
