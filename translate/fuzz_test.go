package translate

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// seed adds documents of real libvirtds, libvirt's own test documents where they are at
// hand, and the hostile ones of moderate size.
func seed(f *testing.F, add func(doc string)) {
	f.Helper()
	for _, version := range recordedVersions() {
		seen := map[string]bool{}
		for _, r := range recording(f, version) {
			if r.XML != "" && !seen[r.XML] {
				seen[r.XML] = true
				add(r.XML)
			}
		}
	}
	for _, doc := range []string{guest, domainStatus, plainNetwork} {
		add(doc)
	}
	for _, c := range hostileDocuments() {
		if len(c.doc) < 1<<12 {
			add(c.doc)
		}
	}
	if dir := os.Getenv(corporaVariable); dir != "" {
		docs, err := documentsBelow(dir)
		if err != nil {
			f.Fatal(err)
		}
		for i, doc := range docs {
			if i%10 == 0 {
				add(doc.text)
			}
		}
	}
}

func FuzzInterfaces(f *testing.F) {
	seed(f, func(doc string) { f.Add(doc) })
	f.Fuzz(func(t *testing.T, doc string) {
		nics, err := Interfaces(doc)
		pos := 0
		for i, nic := range nics {
			n := strings.Index(doc[pos:], nic.Text)
			if n < 0 {
				t.Fatalf("interface %d is not in the document, or not in order: %q", i, nic.Text)
			}
			pos += n + len(nic.Text)
			if !strings.HasPrefix(nic.Text, "<interface") || !strings.HasSuffix(nic.Text, ">") {
				t.Fatalf("interface %d: %q", i, nic.Text)
			}
			if _, err := scanAll(nic.Text); err != nil {
				t.Fatalf("interface %d cannot be read alone: %v", i, err)
			}
			if _, err := AuthorPort("", nic, DomainRef{}); err != nil {
				t.Logf("no port: %v", err)
			}
		}
		head, headErr := ParseDomain(doc)
		if err == nil && headErr != nil {
			t.Fatalf("interfaces could be read, the head not: %v", headErr)
		}
		if headErr == nil && head.ID < -1 {
			t.Fatalf("id %d", head.ID)
		}
		if _, err := ParseNetwork(doc); err == nil && headErr == nil && head.Name != "" {
			t.Fatal("both a network and a domain")
		}
		if inner, err := Unwrap(doc); err == nil && headErr == nil {
			again, err := Interfaces(inner)
			if err != nil || len(again) != len(nics) {
				t.Fatalf("%d interfaces after unwrapping, %d before: %v", len(again), len(nics), err)
			}
		}
	})
}

func FuzzHookData(f *testing.F) {
	seed(f, func(doc string) { f.Add(doc, uint8(len(doc)%3), uint8(len(doc)%9)) })
	f.Fuzz(func(t *testing.T, doc string, payload, indent uint8) {
		p := Payloads()[int(payload)%3]
		check := func(parts Parts, inputs ...string) {
			out, err := HookData(p, parts)
			// Every line may get at most the columns of the form, and the frame.
			if limit := len(doc)*8 + 2000; len(out) > limit {
				t.Fatalf("%d bytes from %d", len(out), len(doc))
			}
			if !strings.HasPrefix(string(out), "<hookData>\n") || !strings.HasSuffix(string(out), "\n</hookData>") {
				t.Fatalf("frame: %q", out)
			}
			if err != nil || strings.Contains(doc, "AUTO-GENERATED") {
				return
			}
			inside := slices.IndexFunc(inputs, func(in string) bool { return in != "" && wellFormed(in) != nil })
			if inside >= 0 {
				return // the scanner lets through what encoding/xml does not
			}
			if err := sameTokens(string(out), inputs...); err != nil {
				t.Fatal(err)
			}
		}
		check(Parts{Domain: doc, Network: plainNetwork}, plainNetwork, doc)
		if p != PayloadSeed {
			check(Parts{Interface: Interface{Text: doc, Indent: int(indent)}, Network: plainNetwork}, doc, plainNetwork)
		}
	})
}

func FuzzWithConnections(f *testing.F) {
	seed(f, func(doc string) { f.Add(doc, len(doc)%5) })
	f.Fuzz(func(t *testing.T, doc string, n int) {
		edited := WithConnections(doc, n)
		if len(edited) > len(doc)+len(" connections=''")+20 {
			t.Fatalf("%d bytes from %d", len(edited), len(doc))
		}
		if again := WithConnections(edited, n); again != edited {
			t.Fatalf("not stable: %q, %q", edited, again)
		}
		before, err := ParseNetwork(doc)
		if err != nil {
			return
		}
		after, err := ParseNetwork(edited)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 && n < 1<<31 && (after.Connections != n || !after.HasConnections) {
			t.Fatalf("connections %d, want %d", after.Connections, n)
		}
		if n <= 0 && after.HasConnections && strings.Count(doc, "connections") < 2 {
			t.Fatal("connections are still there")
		}
		after.Connections, after.HasConnections = before.Connections, before.HasConnections
		if after != before {
			t.Fatalf("%v, was %v", after, before)
		}
		if wellFormed(doc) == nil && wellFormed(edited) != nil {
			t.Fatalf("not well-formed any more: %q", edited)
		}
	})
}
