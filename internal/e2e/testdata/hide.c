/*
 * Preloaded, makes a host's libvirt look like an older one to a program that
 * looks its functions up at run time: dlsym fails for the functions that are to
 * be hidden, dlopen for the libraries.
 *
 *   HIDE_SYMBOLS    names, separated by commas
 *   HIDE_EXCEPT     a file of names, a line each: every other vir… is hidden
 *   HIDE_LIBRARIES  names for dlopen, separated by commas
 *   HIDE_TRACE      a file that gets the vir… names that were looked up
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static __thread char failure[256];
static __thread int failed;

/* real finds the C library's own function, under the versions that it has had. */
static void *real(const char *name)
{
    static const char *const versions[] = { "GLIBC_2.34", "GLIBC_2.17", "GLIBC_2.2.5" };
    for (size_t i = 0; i < sizeof(versions) / sizeof(*versions); i++) {
        void *found = dlvsym(RTLD_NEXT, name, versions[i]);
        if (found)
            return found;
    }
    abort();
}

/* listed looks for a name in a list. */
static int listed(const char *list, const char *name, char separator)
{
    size_t n = strlen(name);
    for (const char *at = list; at && *at; ) {
        const char *end = strchrnul(at, separator);
        if ((size_t)(end - at) == n && strncmp(at, name, n) == 0)
            return 1;
        at = *end ? end + 1 : end;
    }
    return 0;
}

static char *except;

__attribute__((constructor)) static void load(void)
{
    const char *path = getenv("HIDE_EXCEPT");
    if (!path)
        return;
    FILE *f = fopen(path, "r");
    if (!f)
        abort();
    except = calloc(1, 1 << 20);
    if (!except || fread(except, 1, (1 << 20) - 1, f) == 0)
        abort();
    fclose(f);
}

static void trace(const char *name)
{
    const char *path = getenv("HIDE_TRACE");
    if (!path)
        return;
    char line[256];
    int n = snprintf(line, sizeof(line), "%s\n", name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, line, n) != n)
        abort();
    close(fd);
}

static void *fail(const char *format, const char *name)
{
    snprintf(failure, sizeof(failure), format, name);
    failed = 1;
    return NULL;
}

void *dlsym(void *handle, const char *name)
{
    static void *(*next)(void *, const char *);
    if (!next)
        next = real("dlsym");
    failed = 0;
    if (strncmp(name, "vir", 3) == 0) {
        trace(name);
        if (listed(getenv("HIDE_SYMBOLS"), name, ',') || (except && !listed(except, name, '\n')))
            return fail("undefined symbol: %s (hidden)", name);
    }
    return next(handle, name);
}

void *dlopen(const char *name, int flags)
{
    static void *(*next)(const char *, int);
    if (!next)
        next = real("dlopen");
    failed = 0;
    if (name && listed(getenv("HIDE_LIBRARIES"), name, ','))
        return fail("%s: cannot open shared object file (hidden)", name);
    return next(name, flags);
}

char *dlerror(void)
{
    static char *(*next)(void);
    if (!next)
        next = real("dlerror");
    if (failed) {
        failed = 0;
        return failure;
    }
    return next();
}
