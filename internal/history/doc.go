// Package history keeps what became of the runs of hook scripts: a bounded
// number of them, over restarts and boots.
//
// A history is a directory of segments, runs-NNNNNNNNNN.jsonl, with one JSON
// object a line, oldest first: `jq . /var/lib/hookbridge/history/*.jsonl` reads
// all of it. The last segment is appended to; when it is full the next one is
// begun, and the oldest go when there are too many. A line that is torn, since
// the machine or the agent stopped in the midst of writing it, is skipped when
// read and cut off when the history is next opened.
//
// Nobody waits for the disk: [Log.Append] hands the entry to a goroutine, which writes
// what has gathered for 50 ms, or at once for one who reads or follows. It
// belongs to the Log and ends with [Log.Close]. When that cannot keep up, or
// cannot write, entries are dropped and counted.
package history
