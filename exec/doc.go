// Package exec runs the hook scripts of an administrator: it finds them, judges
// whether they are safe to run, starts their processes and reports what became
// of them. It knows nothing of libvirt's API.
//
// # Finding
//
// The scripts of the hook "network" in /etc/libvirt/hooks are the file
// /etc/libvirt/hooks/network and then, in byte order, the executables of
// /etc/libvirt/hooks/network.d/, as in libvirt 6.5 and newer. All of them run,
// also after one has failed. They are looked up anew at each call. A missing
// script is success without a call.
//
// # Safety
//
// Before every run each component of the script's path is checked, from the
// root directory down, with every symbolic link and what it leads to: whoever
// could replace one of them could run anything as root. [Trust] has the rules.
// A script that fails the check is refused with a message that names the
// component, the reason and the command that mends it. A script that passes is
// started by its own path, so that $0 is what libvirt would have made it; only
// root could have swapped the file since the check. There is no shell anywhere,
// arguments are passed as they are.
//
// # The process
//
// A script gets what libvirt's virCommand gives to a hook (src/util/virhook.c,
// src/util/vircommand.c): the arguments, the document on stdin in full, the
// working directory "/", LC_ALL=C and the seven variables that are passed on, no
// other descriptors than 0, 1 and 2, signals unblocked and at their defaults.
// (A signal that the calling process itself ignores stays ignored in the script.
// Hence do not use [os/signal.Ignore].) A script that does not read its stdin, or
// closes it, has done nothing wrong.
//
// Unlike in libvirt, a script is the leader of its own process group, and
// has a time limit. At its end, or when the context is cancelled, the whole group
// gets SIGTERM, and SIGKILL when something of it is left after a grace
// period. After any other end of the script the group is left alone: what it
// started in the background lives on.
//
// Starting a script marks all descriptors of the calling process from 3 up as
// close-on-exec. For as long as a script runs, [Hooks.Run] keeps a thread in a system
// call. Four descriptors stay open for the next one.
//
// # Output, and what daemons may rely on
//
// Stdout and stderr are captured separately. Of each the head is kept, up to a
// limit; the rest is read and counted, so that a script which floods its output
// neither stalls nor costs memory.
//
// libvirtd waits for the script's pipes to close, and so hangs for as long as a
// background process holds them open. This package returns when the script has
// ended; only if such a process exists does it wait 100 ms for last words. Then
// nobody reads those pipes any more, and the left-behind process must not suffer:
//
//   - It never gets SIGPIPE or EPIPE. The descriptor that a script gets as stdout
//     or stderr is its pipe opened for reading and writing, so the pipe has a
//     reader for as long as it has a writer. This holds also after the end of
//     the calling process, whether orderly or by SIGKILL.
//   - It never blocks. Before Run returns, the pipe is switched to non-blocking.
//     Once its 64 KiB are full, further writes fail with EAGAIN.
//
// So a daemon that is silent, sent its output elsewhere, or shrugs off failing
// writes, runs for ever. One that takes a failing write as a reason to end will
// end, after 64 KiB; its script should redirect its output, as libvirt demanded
// anyway. Other ways were weighed. A goroutine that goes on reading
// needs an owner, descriptors for each daemon, and is of no help once the process
// has ended: then comes SIGPIPE. A file or memfd is never full and
// never breaks, but grows without limit when nobody watches it, and a limit by
// RLIMIT_FSIZE would also hit the script's own files.
//
// One thing is left: when the calling process is killed while a script runs, that
// script blocks once it has written 64 KiB more than were read.
//
// # Results
//
// Each script has an [Outcome]. Its Err is nil, a [*ScriptError] or a [*RunError],
// and the two are never mixed. A ScriptError is the script's own verdict: an exit
// status other than 0, or death by a signal that this package did not send. A
// RunError is ours: the script was refused, could not be started, or was
// ended by us; it says nothing about what the script thinks of the matter.
//
// Linux only, without cgo.
package exec
