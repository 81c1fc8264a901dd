package libvirtd

import "hookbridge/translate"

// Judge says which operations the libvirtd behind a connection runs itself. version is
// what it answers when asked for its own, in libvirt's numbers, 0 if it does not tell.
func Judge(uri string, version uint32) translate.Verdict {
	if !OnThisHost(uri) {
		return translate.Verdict{
			Native: translate.Ops{},
			Reason: "the test driver and connections to other hosts run no hooks on this host",
		}
	}
	marks := translate.Marks{}
	if p, err := Find(); err == nil {
		// Marks that cannot be had leave the version, and the verdict says so.
		marks, _ = p.Marks()
	}
	return translate.Judge(marks, version)
}
