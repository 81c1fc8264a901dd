package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sirupsen/logrus"

	"hookbridge/internal/store"
	"hookbridge/translate"
)

// keeper writes what the agent must not forget into the store. Without a store
// it does nothing. A store that cannot be written to, because the file system is
// full for instance, costs the memory over a restart and nothing else.
type keeper struct {
	store *store.Store
	log   *logrus.Logger
}

// plannedCall is a call in the store.
type plannedCall struct {
	Chain   uint64 // calls of one chain share it
	Guest   string `json:",omitempty"`
	Planned time.Time
	Silent  bool `json:",omitempty"`
	Call    translate.Call
}

func (k keeper) update(what string, fn func(*store.Tx) error) {
	if k.store == nil {
		return
	}
	if err := k.store.Update(fn); err != nil {
		k.log.WithError(err).Errorf("%s cannot be kept; after a restart of the agent hooks may run twice or not at all", what)
	}
}

// record keeps a change of the ledger: the record under its key, and the calls
// of the chain, which get their numbers.
func (k keeper) record(ch change, c *chain) {
	k.update("the announced state", func(tx *store.Tx) error {
		if ch.record == nil {
			if err := tx.Delete(ch.bucket, ch.key); err != nil {
				return err
			}
		} else if err := putJSON(tx, ch.bucket, ch.key, ch.record); err != nil {
			return err
		}
		if err := deleteCalls(tx, ch.cut); err != nil {
			return err
		}
		number := tx.NextCall()
		for i := range c.tasks {
			value, err := json.Marshal(plannedCall{Chain: number, Guest: c.guest, Planned: c.planned, Silent: c.tasks[i].silent, Call: c.tasks[i].call})
			if err != nil {
				return err
			}
			if c.tasks[i].id, err = tx.Plan(value); err != nil {
				return err
			}
		}
		return nil
	})
}

// cut keeps that planned calls are not to be made.
func (k keeper) cut(ids []store.CallID) {
	k.update("that calls are not to be made", func(tx *store.Tx) error { return deleteCalls(tx, ids) })
}

func deleteCalls(tx *store.Tx, ids []store.CallID) (err error) {
	for _, id := range ids {
		err = errors.Join(err, tx.Delete(store.Calls, string(id)))
	}
	return err
}

// done keeps that a call has been made, with the count of its network.
func (k keeper) done(t task, interfaces map[string]int) {
	k.update("the end of a call", func(tx *store.Tx) error {
		var err error
		if len(interfaces) == 0 {
			err = tx.Delete(store.Counts, t.network())
		} else {
			err = putJSON(tx, store.Counts, t.network(), keptCount{t.call.Conn, t.call.Network, interfaces})
		}
		return errors.Join(err, tx.Delete(store.Calls, string(t.id)))
	})
}

// adopted keeps that what was there when the agent first came to a connection has
// been looked at.
func (k keeper) adopted(conn string) {
	k.update("that this host's networks and guests are known", func(tx *store.Tx) error {
		return tx.Put(store.Adopted, conn, []byte("{}"))
	})
}

func putJSON(tx *store.Tx, bucket store.Bucket, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return tx.Put(bucket, key, text)
}

// keptCount is what is plugged into a network, as far as counting goes.
type keptCount struct {
	Conn, Network string
	Interfaces    map[string]int
}

// kept is what a store holds of an earlier run.
type kept struct {
	networks map[string]*translate.Network
	domains  map[string]*translate.Domain
	counts   []keptCount
	chains   []chain
	adopted  map[string]bool
}

// load reads the store. An entry that cannot be read is an error: it means that
// the store is not what it claims to be.
func (k keeper) load() (kept, error) {
	all := kept{
		networks: map[string]*translate.Network{},
		domains:  map[string]*translate.Domain{},
		adopted:  map[string]bool{},
	}
	if k.store == nil {
		return all, nil
	}
	err := errors.Join(
		eachJSON(k.store, store.Networks, func(key string, n *translate.Network) { all.networks[key] = n }),
		eachJSON(k.store, store.Domains, func(key string, d *translate.Domain) { all.domains[key] = d }),
		eachJSON(k.store, store.Counts, func(_ string, c *keptCount) { all.counts = append(all.counts, *c) }),
		eachJSON(k.store, store.Adopted, func(key string, _ *struct{}) { all.adopted[key] = true }),
	)
	last := uint64(0)
	err = errors.Join(err, eachJSON(k.store, store.Calls, func(id string, p *plannedCall) {
		if len(all.chains) == 0 || p.Chain != last {
			all.chains = append(all.chains, chain{guest: p.Guest, planned: p.Planned})
			last = p.Chain
		}
		c := &all.chains[len(all.chains)-1]
		c.tasks = append(c.tasks, task{call: p.Call, id: store.CallID(id), retry: true, silent: p.Silent})
	}))
	return all, err
}

func eachJSON[T any](s *store.Store, bucket store.Bucket, fn func(key string, value *T)) error {
	return s.Each(bucket, func(key string, text []byte) error {
		value := new(T)
		if err := json.Unmarshal(text, value); err != nil {
			return fmt.Errorf("the state's %s hold something unreadable at %q: %w", bucket, key, err)
		}
		fn(key, value)
		return nil
	})
}
