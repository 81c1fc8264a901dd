package translate

import (
	"testing"
)

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"plain":                          "plain",
		"&lt;&gt;&amp;&apos;&quot;":      `<>&'"`,
		"a&#10;b&#x41;&#x20ac;":          "a\nbA€",
		"&amp;lt;":                       "&lt;",
		"&unknown; & &#; &#x; &#0; &lt":  "&unknown; & &#; &#x; &#0; &lt",
		"&#xD800;&#x110000;&#999999999;": "&#xD800;&#x110000;&#999999999;",
	} {
		if got := unescape(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
