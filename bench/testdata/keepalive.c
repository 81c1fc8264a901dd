/* Holds a connection to libvirt with keepalive and does nothing else. Says "." when
 * it is there. The declarations are libvirt's own, so that its headers need not be
 * installed. usage: keepalive URI */
#include <stdio.h>
#include <unistd.h>

typedef struct virConnect virConnect;
int virEventRegisterDefaultImpl(void);
int virEventRunDefaultImpl(void);
virConnect *virConnectOpen(const char *uri);
int virConnectSetKeepAlive(virConnect *conn, int interval, unsigned count);
int virConnectDomainEventRegisterAny(virConnect *, void *, int, void (*)(void), void *, void *);
int virConnectNetworkEventRegisterAny(virConnect *, void *, int, void (*)(void), void *, void *);

static void nothing(void) {}

int main(int argc, char **argv)
{
	virConnect *conn;
	const int lifecycle = 0, removed = 15, added = 19;

	if (argc != 2 || virEventRegisterDefaultImpl() < 0 || !(conn = virConnectOpen(argv[1])) ||
	    virConnectSetKeepAlive(conn, 5, 5) < 0 ||
	    virConnectDomainEventRegisterAny(conn, NULL, lifecycle, nothing, NULL, NULL) < 0 ||
	    virConnectDomainEventRegisterAny(conn, NULL, removed, nothing, NULL, NULL) < 0 ||
	    virConnectDomainEventRegisterAny(conn, NULL, added, nothing, NULL, NULL) < 0 ||
	    virConnectNetworkEventRegisterAny(conn, NULL, lifecycle, nothing, NULL, NULL) < 0)
		return 1;
	if (write(1, ".", 1) != 1)
		return 1;
	while (virEventRunDefaultImpl() == 0)
		;
	return 1;
}
