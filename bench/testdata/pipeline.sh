#!/bin/sh
# What an administrator writes: virsh tells, dumpxml fetches, the script is called.
# usage: pipeline.sh URI SCRIPT
uri=$1 script=$2

document() { # around what is on stdin
	{ echo '<hookData>'; cat; printf '</hookData>'; }
}

# The test driver knows no inactive document: start gets the live one.
virsh -q -c "$uri" net-event --loop --event lifecycle | while read -r line; do
	case $line in *": Started"*) ;; *) continue ;; esac
	name=${line##*for network } name=${name%%: Started*}
	name=${name#\'} name=${name%\'}
	virsh -q -c "$uri" net-dumpxml "$name" | document | "$script" "$name" start begin -
	virsh -q -c "$uri" net-dumpxml "$name" | document | "$script" "$name" started begin -
done &

virsh -q -c "$uri" event --loop --all | while read -r line; do
	case $line in *lifecycle*": Started"*) ;; *) continue ;; esac
	name=${line##*for domain } name=${name%%: Started*}
	name=${name#\'} name=${name%\'}
	domain=$(virsh -q -c "$uri" dumpxml "$name")
	for network in $(printf '%s\n' "$domain" | sed -n "s/.*<source network='\([^']*\)'.*/\1/p"); do
		{
			printf '%s\n' "$domain" | sed -n '/<interface /,/<\/interface>/p'
			virsh -q -c "$uri" net-dumpxml "$network"
			printf '%s\n' "$domain"
		} | document | "$script" "$network" plugged begin -
	done
done &
wait
