package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Parse reads the text of a configuration file; path is for errors. The error is
// an [Errors].
func Parse(path, text string) (*File, error) {
	// The parser counts from behind the byte order mark.
	text = strings.TrimPrefix(text, "\ufeff")
	r := reader{file: File{Path: path, settings: Default(), set: map[string]place{}}, text: text}
	if text == "" {
		return &r.file, nil
	}
	top := map[string]toml.Primitive{}
	var err error
	if r.meta, err = toml.Decode(text, &top); err != nil {
		var syntax toml.ParseError
		if !errors.As(err, &syntax) {
			return nil, Errors{{File: path, Err: err}}
		}
		at := placeOf(text, syntax.Position.Start)
		return nil, Errors{{File: path, Line: at.line, Column: at.column, Key: syntax.LastKey, Err: errors.New(syntax.Message)}}
	}
	r.table("", top)
	if len(r.errs) > 0 {
		slices.SortStableFunc(r.errs, func(a, b *Error) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, r.errs
	}
	return &r.file, nil
}

// reader goes through a document that is well-formed TOML.
type reader struct {
	file File
	text string
	meta toml.MetaData
	errs Errors
}

// table takes the keys of a table; prefix is its name with a dot.
func (r *reader) table(prefix string, keys map[string]toml.Primitive) {
	for name, value := range keys {
		key := prefix + name
		raw, at := r.locate(name, value)
		option, known := optionOf(key)
		switch {
		case strings.Contains(name, "."): // in quotes: no table
			r.blame("", at, fmt.Errorf("unknown key %q", name))
		case known:
			if err := r.file.accept(option, raw, at); err != nil {
				r.blame(key, at, err)
			}
		case !isTable(key):
			r.blame("", at, fmt.Errorf("unknown key %q%s", key, hint(key)))
		default:
			inner := map[string]toml.Primitive{}
			if _, ok := raw.(map[string]any); !ok {
				r.blame(key, at, wrongType("a table, ["+key+"]", raw))
			} else if err := r.meta.PrimitiveDecode(value, &inner); err != nil {
				r.blame(key, at, err)
			} else {
				r.table(key+".", inner)
			}
		}
	}
}

func (r *reader) blame(key string, at place, err error) {
	r.errs = append(r.errs, &Error{File: r.file.Path, Line: at.line, Column: at.column, Key: key, Err: err})
}

// isTable reports whether options lie in a table of this name.
func isTable(name string) bool {
	return slices.ContainsFunc(Options(), func(o Option) bool { return strings.HasPrefix(o.Key, name+".") })
}

func wrongType(want string, raw any) error {
	return fmt.Errorf("%s does not fit: it must be %s", typeName(raw), want)
}

// typeName names the type of a value in TOML's words.
func typeName(raw any) string {
	switch raw.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case time.Time:
		return "a date or time"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	}
	return "this type"
}

// stringList returns an array that has nothing but strings.
func stringList(raw any) ([]string, bool) {
	array, ok := raw.([]any)
	if !ok {
		return nil, false
	}
	list := make([]string, len(array))
	for i, element := range array {
		if list[i], ok = element.(string); !ok {
			return nil, false
		}
	}
	return list, true
}

func commas(list []string) string { return strings.Join(list, ",") }

func quoted(words []string) string { return `"` + strings.Join(words, `", "`) + `"` }
