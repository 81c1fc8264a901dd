package agent

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	Chain   []byte // calls of one chain share it
	Guest   string `json:",omitempty"`
	Planned time.Time
	Silent  bool `json:",omitempty"`
	Call    translate.Call
}

// put keeps a change soon, behind those before it.
func (k keeper) put(fn func(*store.Tx) error) {
	if k.store != nil {
		k.store.Put(fn)
	}
}

// failed tells of what cannot be kept.
func (k keeper) failed(err error) {
	k.log.WithError(err).Error("the state cannot be kept; after a restart of the agent hooks may run twice or not at all")
}

// await returns when a change is kept, or cannot be. Of one that is kept the ticket becomes
// that of nothing.
func (k keeper) await(t *store.Ticket) {
	if t == nil {
		return
	}
	if err := t.Wait(); err != nil {
		k.failed(err)
		return
	}
	*t = store.Ticket{}
}

// record keeps a change of the ledger: the record under its key, and the calls
// of the chain, which get their numbers. told, unless nil, is called when it is kept. If
// there are calls, who makes the first waits for that, or puts its end, which takes the plan
// along, and [chain.hurry] is for one that does not begin at once.
func (k keeper) record(ch change, c *chain, told func()) {
	if k.store == nil {
		if told != nil {
			told()
		}
		return
	}
	ids := k.store.NewCalls(len(c.tasks))
	planned := make([][]byte, len(c.tasks))
	for i := range c.tasks {
		p := plannedCall{Chain: []byte(ids[0]), Guest: c.guest, Planned: c.planned, Silent: c.tasks[i].silent, Call: c.tasks[i].call}
		var err error
		if planned[i], err = packCall(p); err != nil {
			k.failed(err)
			return
		}
		c.tasks[i].id = ids[i]
	}
	put := k.store.PutToWait
	if len(c.tasks) == 0 {
		put = k.store.Put
	}
	kept := put(func(tx *store.Tx) error {
		if told != nil {
			tx.Then(told)
		}
		if err := putRecord(tx, &ch); err != nil {
			return err
		}
		if err := deleteCalls(tx, ch.cut); err != nil {
			return err
		}
		for i, id := range ids {
			if err := tx.Plan(id, planned[i]); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range c.tasks {
		c.tasks[i].kept = &kept
	}
}

func putRecord(tx *store.Tx, ch *change) error {
	if ch.packed == nil {
		return tx.Delete(ch.bucket, ch.key)
	}
	return tx.Put(ch.bucket, ch.key, ch.packed)
}

// counted keeps a change of the ledger whose calls are not made, with the counts of
// their interfaces.
func (k keeper) counted(ch change, counts []keptCount) {
	k.put(func(tx *store.Tx) error {
		err := putRecord(tx, &ch)
		for _, c := range counts {
			err = errors.Join(err, putCount(tx, c.network, c.nic, c.plugged))
		}
		return err
	})
}

// cut keeps that planned calls are not to be made.
func (k keeper) cut(ids []store.CallID) {
	if len(ids) > 0 {
		k.put(func(tx *store.Tx) error { return deleteCalls(tx, ids) })
	}
}

func deleteCalls(tx *store.Tx, ids []store.CallID) (err error) {
	for _, id := range ids {
		err = errors.Join(err, tx.Delete(store.Calls, string(id)))
	}
	return err
}

// done keeps that a call has been made, with the count of its interface; behind a
// network's start and stop, that nothing is plugged into it. told, unless nil, is
// called when it is kept.
func (k keeper) done(t task, nic string, plugged int, told func()) store.Ticket {
	if k.store == nil {
		if told != nil {
			told()
		}
		return store.Ticket{}
	}
	e := store.End{Call: t.id}
	switch {
	case t.call.Op == translate.OpStart || t.call.Op == translate.OpStopped:
		e.Group = t.network()
	case nic != "":
		e.Group, e.Key, e.Value = t.network(), nic, countValue(plugged)
	}
	return k.store.End(e, t.kept, told)
}

// putCount enters how often an interface is plugged into a network, or, without an
// interface, nothing.
func putCount(tx *store.Tx, network, nic string, plugged int) error {
	switch {
	case nic == "":
		return nil
	case plugged == 0:
		return tx.DeleteIn(store.Counts, network, nic)
	default:
		return tx.PutIn(store.Counts, network, nic, countValue(plugged))
	}
}

// countValue is how often an interface is plugged as it is kept; nil if it is not.
func countValue(plugged int) []byte {
	if plugged == 0 {
		return nil
	}
	return binary.AppendUvarint(nil, uint64(plugged)) //nolint:gosec // never negative
}

// adopted keeps that what was there when the agent first came to a connection has
// been looked at.
func (k keeper) adopted(conn string) {
	k.put(func(tx *store.Tx) error { return putPacked(tx, store.Adopted, conn, struct{}{}) })
}

func putPacked(tx *store.Tx, bucket store.Bucket, key string, value any) error {
	packed, err := encode(value)
	if err != nil {
		return err
	}
	return tx.Put(bucket, key, packed)
}

// keptCount is how often an interface is plugged into a network, as far as counting
// goes.
type keptCount struct {
	network string // its key
	nic     string
	plugged int
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
		each(k.store, store.Networks, func(key string, n *translate.Network) { all.networks[key] = n }),
		k.store.EachIn(store.Counts, func(network, nic string, value []byte) error {
			n, read := binary.Uvarint(value)
			if read <= 0 || n > math.MaxInt32 {
				return unreadable(store.Counts, nic, errors.New("no number"))
			}
			all.counts = append(all.counts, keptCount{network, nic, int(n)})
			return nil
		}),
		each(k.store, store.Adopted, func(key string, _ *struct{}) { all.adopted[key] = true }),
		k.store.Each(store.Domains, func(key string, packed []byte) error {
			d, err := unpackDomain(packed)
			if err != nil {
				return unreadable(store.Domains, key, err)
			}
			all.domains[key] = d
			return nil
		}),
	)
	var last []byte
	var before *store.Ticket
	err = errors.Join(err, k.store.Each(store.Calls, func(id string, packed []byte) error {
		p, err := unpackCall(packed)
		if err != nil {
			return unreadable(store.Calls, id, err)
		}
		if len(all.chains) == 0 || !bytes.Equal(p.Chain, last) {
			all.chains = append(all.chains, chain{guest: p.Guest, planned: p.Planned})
			before = new(store.Ticket)
			last = p.Chain
		}
		c := &all.chains[len(all.chains)-1]
		c.tasks = append(c.tasks, task{call: p.Call, id: store.CallID(id), kept: before, retry: true, silent: p.Silent})
		return nil
	}))
	return all, err
}

func each[T any](s *store.Store, bucket store.Bucket, fn func(key string, value *T)) error {
	return s.Each(bucket, func(key string, packed []byte) error {
		value := new(T)
		if err := decode(packed, value); err != nil {
			return unreadable(bucket, key, err)
		}
		fn(key, value)
		return nil
	})
}

func unreadable(bucket store.Bucket, key string, err error) error {
	return fmt.Errorf("the state's %s hold something unreadable at %q: %w", bucket, key, err)
}
