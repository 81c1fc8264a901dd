# libvirtd runs this script when a guest starts or stops. "hookbridge gate install"
# put it here, "hookbridge gate remove" takes it away. Do not change it: put what
# you have to say into the script named "kept" below, which runs first, or, from
# libvirt 6.5 on, into the directory beside this one whose name ends in ".d".

set -u
@settings@
tools=/usr/sbin:/usr/bin:/sbin:/bin

# A libvirtd that has lost its own standard input starts scripts without one.
# Whatever is opened first would become it: a pipe of ours, and reading from that
# never ends.
{ true 3<&0; } 2>/dev/null || exec </dev/null
{ true 3>&1; } 2>/dev/null || exec >/dev/null
true 3>&2 || exec 2>/dev/null

op=${2-}

runnable() { [ -f "$1" ] && [ -x "$1" ]; }

# The script that was here before, if there was one. What $0 is asked for below is
# on account of links: a hook that is a link to another runs only the script that
# the other keeps, and a kept script that leads back here runs nothing.
chain=no
if runnable "$kept" && [ "$0" != "$kept" ]; then chain=yes; fi

# A libvirtd that has prepare has been asked about then; the agent leaves word.
ask=no
case $op in
prepare | start | stopped | release | reconnect)
	if runnable "$hookbridge" && [ "${0##*/}" = "$guest" ]; then ask=yes; fi
	if [ "$op" = start ] && [ -e "${socket%/*}/prepare.$guest" ]; then ask=no; fi
	;;
esac

if [ $ask = no ]; then
	if [ $chain = yes ]; then exec "$kept" "$@"; fi
	case $op in
	migrate | restore)
		# libvirtd takes what comes back for the guest's document.
		PATH=$tools
		exec cat
		;;
	esac
	exit 0
fi

status=0
if [ $chain = yes ]; then
	# The document is read twice.
	document=$(
		PATH=$tools
		umask 077
		# In /run only root makes files, so the name may be known beforehand; and
		# this takes no process of its own.
		file=/run/hookbridge-gate.$$
		set -C
		{ true >"$file"; } 2>/dev/null || file=$(mktemp /tmp/hookbridge-gate.XXXXXXXXXX 2>/dev/null) || exit 3
		set +C
		if ! cat >"$file"; then
			rm -f "$file"
			exit 4
		fi
		printf '%s' "$file"
	)
	case $? in
	0) ;;
	3)
		echo "hookbridge: no file can be made in /run or /tmp: $op of guest ${1-} is left to $kept alone" >&2
		exec "$kept" "$@"
		;;
	*)
		echo "hookbridge: $kept was not run for $op of guest ${1-}: there was no room for the guest's document in /run or /tmp" >&2
		case $op in prepare | start) exit 1 ;; esac
		exit 0
		;;
	esac
	exec 3<"$document" 4<"$document"
	(
		PATH=$tools
		exec rm -f "$document"
	)
	"$kept" "$@" <&3 3<&- 4<&-
	status=$?
	exec <&4 3<&- 4<&-
	# libvirtd goes on after a failure at the end, and the network has to hear of it.
	case $op in
	stopped | release) ;;
	*) [ $status -eq 0 ] || exit $status ;;
	esac
fi

# Each wait in there has its limit.
"$hookbridge" gate run --guest "$guest" --socket "$socket" --timeout "$timeout" --unavailable "$unavailable" --pid "$PPID" -- "$@"
answer=$?
case $op in
prepare | start)
	case $answer in
	0) ;;
	1) exit 1 ;;
	*)
		echo "hookbridge: $hookbridge gate run failed with status $answer (gate.unavailable = $unavailable)" >&2
		[ "$unavailable" != deny ] || exit 1
		;;
	esac
	;;
esac
exit $status
