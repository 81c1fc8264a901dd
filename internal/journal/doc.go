// Package journal writes log lines to systemd's journal as entries with fields:
// what is network=default elsewhere is NETWORK=default there, to be found with
// "journalctl NETWORK=default".
//
// The message keeps the fields as well, since journalctl shows nothing else.
//
// Fields are upper case; what the journal does not take in a name becomes an
// underscore. An entry that the journal does not take goes to stderr as text,
// with its priority in front, and so into the journal after all.
package journal
