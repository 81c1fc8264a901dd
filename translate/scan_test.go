package translate

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func scanAll(doc string) (tokens []string, err error) {
	s := newScanner(doc)
	var t token
	for s.next(&t) {
		tokens = append(tokens, fmt.Sprintf("%d %d %s", t.kind, t.depth, doc[t.start:t.end]))
	}
	return tokens, s.err()
}

func TestScan(t *testing.T) {
	doc := "<?xml version='1.0'?>\n<!-- > -->\n<a b='>' c = \"'\">t&lt;<b:x/><![CDATA[</a>]]>\n<?p <q>?></a >\n"
	got, err := scanAll(doc)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"6 0 <?xml version='1.0'?>", "3 0 \n", "5 0 <!-- > -->", "3 0 \n", "0 1 <a b='>' c = \"'\">", "3 1 t&lt;", "1 2 <b:x/>",
		"4 1 <![CDATA[</a>]]>", "3 1 \n", "6 1 <?p <q>?>", "2 1 </a >", "3 0 \n",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// hostileDocuments are documents that no libvirtd sends. reason is part of the error.
func hostileDocuments() []struct{ name, doc, reason string } {
	var laughs strings.Builder
	laughs.WriteString("<!DOCTYPE domain [<!ENTITY l0 'ha'>")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&laughs, "<!ENTITY l%d '&l%d;&l%d;'>", i, i-1, i-1)
	}
	laughs.WriteString("]><domain><name>&l29;</name></domain>")
	return []struct{ name, doc, reason string }{
		{"empty", "", "no root element"},
		{"blanks only", " \n", "no root element"},
		{"no XML", "error: no domain", "text outside the root element"},
		{"truncated in a tag", "<domain type='k", "cut short"},
		{"truncated in a name", "<dom", "cut short"},
		{"truncated after a tag", "<domain><name>x</name>", "cut short inside <domain>"},
		{"truncated in a comment", "<domain><!-- x --", "cut short"},
		{"truncated in CDATA", "<domain><![CDATA[ x ]]", "cut short"},
		{"truncated in markup", "<domain><![CDA", "cut short"},
		{"truncated in an instruction", "<?xml version='1.0'", "cut short"},
		{"truncated in an end tag", "<domain></doma", "cut short"},
		{"truncated at <", "<domain><", "cut short"},
		{"half a status file", "<domstatus state='running'>\n  <domain type='qemu'>\n    <devices>\n      <interface type='net", "cut short"},
		{"deep", strings.Repeat("<a>", 1<<20), "nested deeper"},
		{"deep and closed", strings.Repeat("<a>", 300) + strings.Repeat("</a>", 300), "nested deeper"},
		{"deep in metadata", "<domain><metadata>" + strings.Repeat("<a>\n", 1<<18) + "</metadata></domain>", "nested deeper"},
		{"huge attribute", "<domain type='" + strings.Repeat("x", MaxAttribute+1) + "'/>", "longer than"},
		{"huge attribute without end", "<domain type='" + strings.Repeat("x", MaxAttribute+1), "longer than"},
		{"huge document", "<domain>" + strings.Repeat(" ", MaxDocument) + "</domain>", "more than"},
		{"billion laughs", laughs.String(), "document type declaration"},
		{"external entity", "<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>", "document type declaration"},
		{"unknown entity", "<domain><name>&xxe;</name></domain>", "no known reference"},
		{"unknown entity in an attribute", "<domain type='&xxe;'/>", "no known reference"},
		{"bare ampersand", "<domain>a & b</domain>", "no known reference"},
		{"reference to NUL", "<domain>&#0;</domain>", "no known reference"},
		{"reference beyond Unicode", "<domain>&#x110000;</domain>", "no known reference"},
		{"endless reference", "<domain>&#x" + strings.Repeat("0", 1<<16) + "41;</domain>", "no known reference"},
		{"invalid UTF-8", "<domain><name>\xff</name></domain>", "invalid UTF-8"},
		{"overlong UTF-8", "<domain><name>\xc0\xbc</name></domain>", "invalid UTF-8"},
		{"surrogate", "<domain><name>\xed\xa0\x80</name></domain>", "invalid UTF-8"},
		{"cut UTF-8", "<domain><name>\xe2\x82", "invalid UTF-8"},
		{"noncharacter", "<domain><name>\uffff</name></domain>", "U+FFFF"},
		{"NUL", "<domain><name>a\x00b</name></domain>", "NUL byte"},
		{"NUL in a tag", "<domain type='a\x00'/>", "NUL byte"},
		{"control character", "<domain>\x1b[2J</domain>", "control character 0x1b"},
		{"two roots", "<domain/><domain/>", "second root"},
		{"text behind", "<domain/>x", "outside the root"},
		{"wrong nesting", "<domain><a></domain></a>", "closes <a>"},
		{"end tag only", "</domain>", "closes nothing"},
		{"no quotes", "<domain type=kvm/>", "without quotes"},
		{"no value", "<domain type/>", "no value"},
		{"no blank between attributes", "<domain a='1'b='2'/>", "no space"},
		{"< in a value", "<domain a='<b>'/>", "< in the value"},
		{"slash inside", "<domain / a='1'>", "in the middle"},
		{"-- in a comment", "<domain><!-- a -- b --></domain>", "-- inside"},
		{"]]> in text", "<domain>]]></domain>", "]]> in text"},
		{"second declaration", "<domain><?xml version='1.0'?></domain>", "XML declaration inside"},
		{"CDATA outside", "<![CDATA[x]]><domain/>", "CDATA outside"},
		{"declaration of an element", "<!ELEMENT a ANY><domain/>", "neither a comment nor CDATA"},
		{"name with a digit first", "<1domain/>", "begins no tag"},
		{"UTF-16", "\xff\xfe<\x00d\x00", "invalid UTF-8"},
	}
}

func TestScanHostile(t *testing.T) {
	for _, c := range hostileDocuments() {
		t.Run(c.name, func(t *testing.T) {
			_, err := scanAll(c.doc)
			var syntax *SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("error is %v", err)
			}
			if !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error is %q, want %q", err, c.reason)
			}
			if len(err.Error()) > 200 {
				t.Errorf("error of %d bytes", len(err.Error()))
			}
			if syntax.Offset < 0 || syntax.Offset > len(c.doc) || syntax.Line < 1 {
				t.Errorf("position %d, line %d", syntax.Offset, syntax.Line)
			}
		})
	}
}

func TestScanPosition(t *testing.T) {
	_, err := scanAll("<a>\n  <b>\n  </c>\n</a>")
	var syntax *SyntaxError
	if !errors.As(err, &syntax) || syntax.Line != 3 || syntax.Offset != 12 {
		t.Errorf("got %#v", err)
	}
}
