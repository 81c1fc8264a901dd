// Package config knows what can be configured, and reads the configuration file.
//
// [Options] is the one list of all options: their key in the file, their flag of
// "hookbridge run", their meaning, the words that they take. [Default] is the one
// place of their defaults. A value from the file and one from the command line go
// through the same parser, [Option.Value].
//
// The file is TOML, and strict. [Load] refuses what it does not know, what has
// the wrong type and what is out of range, each with line, column, key and what would
// be right; it reports all mistakes of a file at once, and a file with a mistake
// gives no settings at all. No content makes it panic.
//
// What only libvirt's side can judge (connection URIs, features) is checked by
// the caller, who blames the line with [File.Blame].
//
// The package needs no cgo.
package config
