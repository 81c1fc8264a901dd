#include <stdint.h>

/* What libvirt gives to be called and to be freed, and the functions that it wants
 * of an event loop: those of libvirt-event.h, which need not be installed. */
typedef void (*handle_callback)(int watch, int fd, int events, void *opaque);
typedef void (*timer_callback)(int timer, void *opaque);
typedef void (*free_callback)(void *opaque);

typedef void (*register_impl)(
	int (*add_handle)(int fd, int events, handle_callback, void *opaque, free_callback),
	void (*update_handle)(int watch, int events), int (*remove_handle)(int watch),
	int (*add_timer)(int every, timer_callback, void *opaque, free_callback),
	void (*update_timer)(int timer, int every), int (*remove_timer)(int timer));

/* loop_register opens the loop and registers it with libvirt. It returns NULL, or
 * what is wrong. */
const char *loop_register(void);

/* loop_run serves libvirt until loop_stop; it returns 0 or an errno. */
int loop_run(void);
void loop_stop(void);

/* loop_hang_up ends connections on which a request has been under way for so many
 * nanoseconds, and returns how many. While one is, libvirt's client waits for the answer
 * itself and wants no events of the handle (virNetClientIOUpdateCallback; call in
 * remote_driver.c before 0.9.2). */
int loop_hang_up(int64_t age);

/* loop_signal makes the loop turn, loop_turned is when it last did, in nanoseconds
 * since 1970. */
void loop_signal(void);
int64_t loop_turned(void);
