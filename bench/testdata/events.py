"""What an administrator writes in Python: one connection, two events, a subprocess.

usage: events.py URI SCRIPT
"""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import libvirt

uri, script = sys.argv[1:]


def call(network, op, *documents):
    text = "<hookData>\n" + "".join(documents) + "</hookData>"
    subprocess.run([script, network, op, "begin", "-"], input=text.encode(), check=True)


def on_network(conn, network, event, detail, opaque):
    if event == libvirt.VIR_NETWORK_EVENT_STARTED:
        # The test driver knows no inactive document.
        call(network.name(), "start", network.XMLDesc(0))
        call(network.name(), "started", network.XMLDesc(0))


def on_domain(conn, domain, event, detail, opaque):
    if event != libvirt.VIR_DOMAIN_EVENT_STARTED:
        return
    text = domain.XMLDesc(0)
    for nic in ElementTree.fromstring(text).iterfind("devices/interface[source]"):
        network = nic.find("source").get("network")
        if network:
            document = conn.networkLookupByName(network).XMLDesc(0)
            call(network, "plugged", ElementTree.tostring(nic, encoding="unicode"), document, text)


libvirt.virEventRegisterDefaultImpl()
connection = libvirt.open(uri)
connection.setKeepAlive(5, 5)
connection.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE, on_network, None)
connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_domain, None)
while True:
    libvirt.virEventRunDefaultImpl()
