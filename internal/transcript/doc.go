// Package transcript runs the sessions that a document shows, so that the document
// stays true.
//
// A session is a fenced block whose info string is "console", with a second word that
// says where it can be run. Lines that begin with "$ " or "# " are commands, the lines
// below are what they print; "…" stands for any text.
//
// What differs from run to run (times, durations, process ids, run ids, versions) is
// equal to its like, and so are line breaks and other white space.
package transcript
