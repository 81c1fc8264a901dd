// Package sdnotify tells systemd how the agent stands: ready, reading its
// configuration again, stopping, alive, and in one line what it watches.
//
// Outside of systemd, where NOTIFY_SOCKET is not set, nothing is sent and nothing
// fails. A message that cannot be sent is lost; systemd's own time limits then
// say so.
package sdnotify
