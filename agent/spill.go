package agent

import (
	"encoding/json"
	"time"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// storeSpill keeps a connection's hints in the store.
type storeSpill struct {
	keeper keeper
	conn   string
}

// spilledHint is a hint in the store.
type spilledHint struct {
	Kind             hintKind
	Name, UUID       string
	Arrived          time.Time
	Started, Stopped bool
	ID               int
	How              translate.Started `json:",omitempty"`
	Removed          string            `json:",omitempty"`
	Kick             bool              `json:",omitempty"`
}

func (s storeSpill) push(hints []hint) error {
	return s.keeper.store.Update(func(tx *store.Tx) error {
		for _, h := range hints {
			value, err := json.Marshal(spilledHint{h.kind, h.name, h.uuid, h.arrived, h.started, h.stopped, h.id, h.how, h.removed, h.kick})
			if err != nil {
				return err
			}
			if err := tx.Push(s.conn, value); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s storeSpill) pull(n int) ([]hint, error) {
	var hints []hint
	err := s.keeper.store.Update(func(tx *store.Tx) error {
		return tx.Pull(s.conn, n, func(value []byte) error {
			var h spilledHint
			if err := json.Unmarshal(value, &h); err != nil {
				return err
			}
			hints = append(hints, hint{
				kind: h.Kind, name: h.Name, uuid: h.UUID, arrived: h.Arrived,
				started: h.Started, stopped: h.Stopped, id: h.ID, how: h.How, removed: h.Removed, kick: h.Kick,
			})
			return nil
		})
	})
	return hints, err
}

// forget drops what an earlier session left: the comparison at its start makes
// up for it.
func (s storeSpill) forget() error {
	for {
		hints, err := s.pull(queueInMemory)
		if err != nil || len(hints) == 0 {
			return err
		}
	}
}
