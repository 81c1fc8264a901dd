package translate

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// xmlTokens reads a document with encoding/xml, which knows nothing of this package's
// scanner: one string for each token. White space that no reader of the document may
// take for content is left out: between the tags of an element that holds no text, and
// the line break inside an empty container. The XML declaration is left out as well.
func xmlTokens(doc string) ([]string, error) {
	if err := wellFormed(doc); err != nil {
		return nil, err
	}
	type open struct {
		name string

		nodes  bool
		text   bool
		blanks []int
	}
	var (
		tokens []string
		drop   = map[int]bool{}
		stack  = []*open{{nodes: true}}
		d      = xml.NewDecoder(strings.NewReader(doc))
	)
	for {
		tok, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.StartElement:
			top.nodes = true
			var b strings.Builder
			fmt.Fprintf(&b, "<%s:%s", tok.Name.Space, tok.Name.Local)
			for _, a := range tok.Attr {
				fmt.Fprintf(&b, " %s:%s=%q", a.Name.Space, a.Name.Local, a.Value)
			}
			tokens = append(tokens, b.String())
			name := tok.Name.Local
			if tok.Name.Space != "" {
				name = tok.Name.Space + ":" + name
			}
			stack = append(stack, &open{name: name})
		case xml.EndElement:
			inMetadata := slices.ContainsFunc(stack, func(o *open) bool { return o.name == "metadata" })
			container := !inMetadata && !freeText[top.name]
			for _, i := range top.blanks {
				if !top.text && (top.nodes || container && strings.Contains(tokens[i], `\n`)) {
					drop[i] = true
				}
			}
			stack = stack[:len(stack)-1]
			tokens = append(tokens, "</"+tok.Name.Space+":"+tok.Name.Local)
		case xml.CharData:
			if strings.TrimSpace(string(tok)) == "" {
				top.blanks = append(top.blanks, len(tokens))
			} else {
				top.text = true
			}
			tokens = append(tokens, fmt.Sprintf("%q", string(tok)))
		case xml.Comment:
			top.nodes = true
			tokens = append(tokens, fmt.Sprintf("comment %q", string(tok)))
		case xml.ProcInst:
			if tok.Target != "xml" {
				top.nodes = true
				tokens = append(tokens, fmt.Sprintf("instruction %q %q", tok.Target, string(tok.Inst)))
			}
		case xml.Directive:
			tokens = append(tokens, fmt.Sprintf("directive %q", string(tok)))
		}
	}
	for _, i := range stack[0].blanks {
		drop[i] = true
	}
	kept := tokens[:0]
	for i, t := range tokens {
		if !drop[i] {
			kept = append(kept, t)
		}
	}
	return kept, nil
}

// wellFormed reads a document with encoding/xml, which checks what its raw tokens do
// not: that tags match, and that there is one root element.
func wellFormed(doc string) error {
	d := xml.NewDecoder(strings.NewReader(doc))
	depth, roots := 0, 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
		case xml.EndElement:
			depth--
		case xml.CharData:
			if depth == 0 && strings.TrimSpace(string(tok)) != "" {
				return errors.New("text outside the root element")
			}
		}
	}
	if roots != 1 {
		return fmt.Errorf("%d root elements", roots)
	}
	return nil
}

// sameTokens compares the document for a hook with its parts, token by token.
func sameTokens(out string, parts ...string) error {
	got, err := xmlTokens(out)
	if err != nil {
		return fmt.Errorf("hookData is not well-formed: %w", err)
	}
	want := []string{"<:hookData"}
	for _, p := range parts {
		if p == "" {
			continue
		}
		tokens, err := xmlTokens(p)
		if err != nil {
			return fmt.Errorf("input is not well-formed: %w", err)
		}
		want = append(want, tokens...)
	}
	want = append(want, "</:hookData")
	for i := 0; i < len(got) || i < len(want); i++ {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Errorf("token %d: got %s, want %s", i, at(got, i), at(want, i))
		}
	}
	return nil
}

func at(tokens []string, i int) string {
	if i < len(tokens) {
		return tokens[i]
	}
	return "none"
}

var afterBreak = regexp.MustCompile(`(^|\n)[ \t]+`)

// flat takes away the white space at the beginning of every line.
func flat(doc string) string { return afterBreak.ReplaceAllString(doc, "$1") }

// sameBytes compares the document for a hook with its parts, byte by byte except for
// white space at the beginning of a line.
func sameBytes(out string, parts ...string) error {
	want := "<hookData>\n"
	for _, p := range parts {
		if p == "" {
			continue
		}
		if hasDeclaration(p) {
			p = p[strings.Index(p, "?>")+2:]
		}
		want += strings.TrimSpace(p) + "\n"
	}
	want += "</hookData>"
	got, want := flat(out), flat(want)
	if got == want {
		return nil
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	return fmt.Errorf("byte %d (white space at line starts left out): got %q, want %q", i, around(got, i), around(want, i))
}

func around(s string, i int) string { return s[max(0, i-30):min(len(s), i+30)] }

func TestXMLTokensSeesChanges(t *testing.T) {
	base := "<domain>\n  <a x='1'>t</a>\n  <b>\n  </b>\n  <description>\n  </description>\n</domain>"
	want, err := xmlTokens(base)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, doc string
		same      bool
	}{
		{"moved", "<domain>\n    <a x=\"1\">t</a>\n    <b>\n    </b>\n    <description>\n  </description>\n  </domain>", true},
		{"description", "<domain>\n  <a x='1'>t</a>\n  <b>\n  </b>\n  <description>\n    </description>\n</domain>", false},
		{"text", "<domain>\n  <a x='1'>t </a>\n  <b>\n  </b>\n  <description>\n  </description>\n</domain>", false},
		{"attribute", "<domain>\n  <a x='2'>t</a>\n  <b>\n  </b>\n  <description>\n  </description>\n</domain>", false},
		{"lost", "<domain>\n  <b>\n  </b>\n  <description>\n  </description>\n</domain>", false},
	} {
		got, err := xmlTokens(c.doc)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(got, want) != c.same {
			t.Errorf("%s: equal is %v\n%s\n%s", c.name, !c.same, got, want)
		}
	}
}
