#include "loop.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* source is a handle or a timer. It stays in its place, removed, until the loop has
 * freed what its callback refers to: the callback may be running. */
struct source {
	int number; /* libvirt's watch or timer */
	int removed;
	void *opaque;
	free_callback free;

	int fd; /* -1: a timer */
	int events;
	int64_t since; /* when events were set, in nanoseconds, of the monotonic clock */
	handle_callback happened;

	int every;   /* milliseconds; negative: never */
	int64_t due; /* in nanoseconds, of the monotonic clock */
	timer_callback elapsed;
};

static int poller, wake; /* an epoll and an eventfd in it */
static int64_t turned;

static const int64_t never = INT64_MAX, awake = INT64_MIN;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the following */
static struct source *sources; /* by rising number */
static int count, room;
static int last; /* the number given last */
static int64_t asleep_until = INT64_MIN; /* what the loop waits for */
static int stopping;

static int64_t now(clockid_t clock)
{
	struct timespec t;
	syscall(SYS_clock_gettime, clock, &t); /* in librt before glibc 2.17: one library less */
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

void loop_signal(void)
{
	const uint64_t one = 1;
	if (write(wake, &one, sizeof(one)) < 0)
		return; /* full: it is awake */
}

int64_t loop_turned(void) { return __atomic_load_n(&turned, __ATOMIC_RELAXED); }

/* rouse makes the loop turn if it would sleep longer than until then. libvirt's client
 * changes its handle and its timer at each of its calls; hardly a change needs this. */
static void rouse(int64_t then)
{
	if (then < asleep_until)
		loop_signal();
}

/* polled pairs libvirt's names of events with those of epoll. */
static const struct { int libvirt; uint32_t epoll; } polled[] = {
	{1, EPOLLIN}, {2, EPOLLOUT}, {4, EPOLLERR}, {8, EPOLLHUP},
};

static uint32_t to_epoll(int events)
{
	uint32_t all = 0;
	for (size_t i = 0; i < sizeof(polled) / sizeof(*polled); i++)
		if (events & polled[i].libvirt)
			all |= polled[i].epoll;
	return all;
}

static int to_libvirt(uint32_t events)
{
	int all = 0;
	for (size_t i = 0; i < sizeof(polled) / sizeof(*polled); i++)
		if (events & polled[i].epoll)
			all |= polled[i].libvirt;
	return all;
}

/* watch tells the kernel what all handles of a descriptor together want. It needs no
 * turn of the loop. */
static int watch(int fd)
{
	struct epoll_event e = {.data.fd = fd};
	int any = 0;
	for (int i = 0; i < count; i++)
		if (sources[i].fd == fd && !sources[i].removed) {
			any = 1;
			e.events |= to_epoll(sources[i].events);
		}
	if (!any) {
		epoll_ctl(poller, EPOLL_CTL_DEL, fd, &e); /* fails for one that is closed */
		return 0;
	}
	if (e.events == 0)
		e.events = EPOLLONESHOT; /* a hang-up, which cannot be masked, is told once only */
	if (epoll_ctl(poller, EPOLL_CTL_MOD, fd, &e) == 0)
		return 0;
	return errno == ENOENT ? epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) : -1;
}

static struct source *find(int number)
{
	for (int i = 0; i < count; i++)
		if (sources[i].number == number && !sources[i].removed)
			return &sources[i];
	return NULL;
}

/* add returns the place of a new source, NULL if there is no memory. */
static struct source *add(void *opaque, free_callback free)
{
	if (count == room) {
		struct source *more = realloc(sources, (room + 16) * sizeof(*more));
		if (!more)
			return NULL;
		sources = more;
		room += 16;
	}
	struct source *s = &sources[count++];
	*s = (struct source){.number = ++last, .opaque = opaque, .free = free, .fd = -1, .every = -1};
	return s;
}

static int remove_source(int number)
{
	pthread_mutex_lock(&lock);
	struct source *s = find(number);
	if (s) {
		s->removed = 1;
		if (s->fd >= 0)
			watch(s->fd);
		rouse(awake + 1); /* to free it: the connection stays open until then */
	}
	pthread_mutex_unlock(&lock);
	return s ? 0 : -1;
}

static int add_handle(int fd, int events, handle_callback happened, void *opaque, free_callback free)
{
	pthread_mutex_lock(&lock);
	int number = -1;
	struct source *s = add(opaque, free);
	if (s) {
		s->fd = fd;
		s->since = now(CLOCK_MONOTONIC);
		s->events = events;
		s->happened = happened;
		if (watch(fd) == 0)
			number = s->number;
		else
			count--;
	}
	pthread_mutex_unlock(&lock);
	return number;
}

static void update_handle(int number, int events)
{
	pthread_mutex_lock(&lock);
	struct source *s = find(number);
	if (s && s->events != events) {
		s->events = events;
		s->since = now(CLOCK_MONOTONIC);
		watch(s->fd);
	}
	pthread_mutex_unlock(&lock);
}

int loop_hang_up(int64_t age)
{
	int n = 0;
	pthread_mutex_lock(&lock);
	const int64_t old = now(CLOCK_MONOTONIC) - age;
	for (int i = 0; i < count; i++) {
		struct source *s = &sources[i];
		if (s->fd >= 0 && !s->removed && s->events == 0 && s->since <= old && shutdown(s->fd, SHUT_RDWR) == 0)
			n++;
	}
	pthread_mutex_unlock(&lock);
	return n;
}

static void set_timer(struct source *s, int every)
{
	s->every = every;
	s->due = every < 0 ? never : now(CLOCK_MONOTONIC) + every * INT64_C(1000000);
	rouse(s->due);
}

static int add_timer(int every, timer_callback elapsed, void *opaque, free_callback free)
{
	pthread_mutex_lock(&lock);
	struct source *s = add(opaque, free);
	if (s) {
		s->elapsed = elapsed;
		set_timer(s, every);
	}
	int number = s ? s->number : -1;
	pthread_mutex_unlock(&lock);
	return number;
}

static void update_timer(int number, int every)
{
	pthread_mutex_lock(&lock);
	struct source *s = find(number);
	if (s)
		set_timer(s, every);
	pthread_mutex_unlock(&lock);
}

/* doze returns for how many milliseconds to wait, -1 for ever, -2 to stop. */
static int doze(void)
{
	int wait = -1;
	pthread_mutex_lock(&lock);
	asleep_until = never;
	for (int i = 0; i < count; i++)
		if (!sources[i].removed && sources[i].every >= 0 && sources[i].due < asleep_until)
			asleep_until = sources[i].due;
	if (stopping)
		wait = -2;
	else if (asleep_until != never) {
		/* Rounded up: a wait that ends too early would be followed by many of none. */
		int64_t left = (asleep_until - now(CLOCK_MONOTONIC) + 999999) / 1000000;
		wait = left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : left;
	}
	pthread_mutex_unlock(&lock);
	return wait;
}

/* due returns the next timer after a number that is to fire. */
static int due(struct source *found, int after, int up_to, int64_t at)
{
	int any = 0;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < count && !any; i++) {
		struct source *s = &sources[i];
		if (s->number > after && s->number <= up_to && !s->removed && s->every >= 0 && s->due <= at) {
			s->due = at + s->every * INT64_C(1000000);
			*found = *s;
			any = 1;
		}
	}
	pthread_mutex_unlock(&lock);
	return any;
}

/* wanted returns the next handle of a descriptor that wants these events by now: an
 * earlier callback or another thread may have changed that. */
static int wanted(struct source *found, int after, int up_to, int fd, uint32_t events)
{
	int any = 0;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < count && !any; i++) {
		struct source *s = &sources[i];
		if (s->number > after && s->number <= up_to && !s->removed && s->fd == fd && s->events &&
		    (to_epoll(s->events) | EPOLLERR | EPOLLHUP) & events) {
			*found = *s;
			any = 1;
		}
	}
	pthread_mutex_unlock(&lock);
	return any;
}

/* sweep frees what is removed. */
static void sweep(void)
{
	for (;;) {
		pthread_mutex_lock(&lock);
		int i = 0;
		while (i < count && !sources[i].removed)
			i++;
		if (i == count) {
			pthread_mutex_unlock(&lock);
			return;
		}
		const struct source gone = sources[i];
		memmove(&sources[i], &sources[i + 1], (--count - i) * sizeof(*sources));
		pthread_mutex_unlock(&lock);
		if (gone.free)
			gone.free(gone.opaque);
	}
}

/* fire calls back. Callbacks add, change and remove sources; what they add is not
 * fired before the loop has looked at it. */
static void fire(struct epoll_event *events, int n)
{
	pthread_mutex_lock(&lock);
	asleep_until = awake;
	const int up_to = last;
	pthread_mutex_unlock(&lock);

	struct source s = {0};
	for (int64_t at = now(CLOCK_MONOTONIC); due(&s, s.number, up_to, at);)
		s.elapsed(s.number, s.opaque);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == wake) {
			uint64_t signals;
			if (read(wake, &signals, sizeof(signals)) < 0)
				continue;
		}
		s.number = 0;
		while (wanted(&s, s.number, up_to, events[i].data.fd, events[i].events))
			s.happened(s.number, s.fd, to_libvirt(events[i].events), s.opaque);
	}
	sweep();
}

int loop_run(void)
{
	struct epoll_event events[16];
	for (;;) {
		__atomic_store_n(&turned, now(CLOCK_REALTIME), __ATOMIC_RELAXED);
		int wait = doze();
		if (wait == -2)
			break;
		int n = epoll_wait(poller, events, sizeof(events) / sizeof(*events), wait);
		if (n < 0 && errno != EINTR)
			return errno;
		fire(events, n < 0 ? 0 : n);
	}
	pthread_mutex_lock(&lock);
	asleep_until = awake; /* nobody is there to be roused */
	stopping = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

void loop_stop(void)
{
	pthread_mutex_lock(&lock);
	stopping = 1;
	pthread_mutex_unlock(&lock);
	loop_signal();
}

const char *loop_register(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	if ((poller = epoll_create1(EPOLL_CLOEXEC)) < 0 ||
	    (e.data.fd = wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, wake, &e) < 0)
		return strerror(errno);
	/* The binding registers functions in Go only. The library is loaded already. */
	void *library = dlopen("libvirt.so.0", RTLD_NOW | RTLD_LOCAL);
	register_impl reg = library ? (register_impl)dlsym(library, "virEventRegisterImpl") : NULL;
	if (!reg)
		return dlerror();
	reg(add_handle, update_handle, remove_source, add_timer, update_timer, remove_source);
	return NULL;
}
