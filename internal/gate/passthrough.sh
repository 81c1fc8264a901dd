# A hook of hookbridge's was here until "hookbridge gate remove". This script does
# nothing, and has to stay while a libvirtd runs that may have seen the hook: once
# it has, it fails every start of a guest if there is none. To get rid of it:
#
#     systemctl stop libvirtd && hookbridge gate remove && systemctl start libvirtd
#
# or, if hookbridge is not there any more, delete this file while libvirtd is
# stopped. Guests keep running meanwhile.

case ${2-} in
migrate | restore)
	# libvirtd takes what comes back for the guest's document.
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	exec cat
	;;
esac
exit 0
