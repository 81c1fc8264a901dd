package check

/*
#cgo LDFLAGS: -ldl
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

// exported tells whether the libvirt that this process has loaded has a function.
static int exported(const char *name)
{
    void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
    int found;

    if (!library)
        return 0;
    found = dlsym(library, name) != NULL;
    dlclose(library);
    return found;
}

// whyNotLoaded returns the dynamic loader's reason not to load libvirt, NULL if it
// loads it.
static const char *whyNotLoaded(void)
{
    void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);

    if (!library)
        return dlerror();
    dlclose(library);
    return NULL;
}
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// exported tells whether the loaded libvirt.so.0 has a function. It asks the
// dynamic loader, as the binding does.
func exported(name string) bool {
	s := C.CString(name)
	defer C.free(unsafe.Pointer(s))
	return C.exported(s) != 0
}

// whyNotLoaded returns the dynamic loader's reason not to load libvirt.so.0, empty
// if it does.
func whyNotLoaded() string {
	// What dlerror returns belongs to the thread that failed.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return C.GoString(C.whyNotLoaded())
}
