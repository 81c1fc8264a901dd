package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// File is what a configuration file says.
type File struct {
	// Path is where it was read from; empty: there is none.
	Path string

	settings Settings
	set      map[string]place // where each key stands
}

// maxSize bounds a file. The example, with all explanations, has a twentieth of it.
const maxSize = 256 << 10

// Load reads a configuration file. The error is an [Errors] about the content,
// or says why the file cannot be read; for a missing file it is
// [os.ErrNotExist].
func Load(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(text) > maxSize {
		err = fmt.Errorf("%s: it is larger than %d KiB", path, maxSize>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return Parse(path, string(text))
}

// None is a file that says nothing.
func None() *File { return &File{} }

// IsSet reports whether the file has the key.
func (f *File) IsSet(key string) bool {
	_, ok := f.set[key]
	return ok
}

// Settings returns what the file sets over the defaults.
func (f *File) Settings() Settings {
	s := Default()
	for _, o := range Options() {
		if f.IsSet(o.Key) {
			o.Copy(&s, &f.settings)
		}
	}
	return s
}

// Blame makes err, about the value of a key, an [*Error] with the key's place.
// If the file does not have the key, err is about somebody else and comes back
// as it is.
func (f *File) Blame(key string, err error) error {
	at, ok := f.set[key]
	if !ok {
		return err
	}
	return &Error{File: f.Path, Line: at.line, Column: at.column, Key: key, Err: err}
}

// accept enters a value into the file's settings.
func (f *File) accept(o Option, raw any, at place) error {
	texts, err := o.texts(raw)
	if err != nil {
		return err
	}
	v := o.Value(&f.settings)
	for _, text := range texts {
		if err := v.Set(text); err != nil {
			return err
		}
	}
	f.set[o.Key] = at
	return nil
}

// texts returns a value of the file as it would stand on a command line. The
// error says which type would be right.
func (o Option) texts(raw any) ([]string, error) {
	text, isText := raw.(string)
	switch o.kind {
	case kindWhole:
		if n, ok := raw.(int64); ok {
			return []string{fmt.Sprint(n)}, nil
		}
		return nil, wrongType("an integer, such as 4", raw)
	case kindDuration:
		if isText {
			return []string{text}, nil
		}
		return nil, wrongType(`a string with a unit, such as "300s"`, raw)
	case kindURIs:
		if list, ok := stringList(raw); ok {
			return list, nil
		}
		return nil, wrongType(`an array of strings, such as ["qemu:///system"]`, raw)
	case kindNames, kindOps:
		list, ok := stringList(raw)
		switch {
		case isText:
			return []string{text}, nil
		case ok && o.kind == kindOps:
			return []string{commas(list)}, nil
		case ok:
			return list, nil
		case o.kind == kindOps:
			return nil, wrongType(`"auto", or an array of strings, such as ["plugged", "unplugged"]`, raw)
		}
		return nil, wrongType(`an array of strings, such as ["kicks"]`, raw)
	case kindPath, kindPathOff:
		switch {
		case !isText:
			return nil, wrongType("a string with a path", raw)
		case text == "" && o.kind == kindPathOff, filepath.IsAbs(text):
			return []string{text}, nil
		case text == "":
			return nil, errors.New("it is empty: write an absolute path, or leave the key out")
		}
		return nil, fmt.Errorf("the path %q must be absolute", text)
	}
	if isText {
		return []string{text}, nil
	}
	if len(o.Words) > 0 {
		return nil, wrongType("one of the strings "+quoted(o.Words), raw)
	}
	return nil, wrongType("a string", raw)
}
