package demo

import "fmt"

// networkXML is a network as an administrator would define it.
func networkXML(name string, net int) string {
	return fmt.Sprintf(`<network>
  <name>%[1]s</name>
  <forward mode='nat'/>
  <bridge name='virbr-%[1]s' stp='on' delay='0'/>
  <ip address='192.168.%[2]d.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='192.168.%[2]d.2' end='192.168.%[2]d.254'/>
    </dhcp>
  </ip>
</network>`, name, net)
}

// guestXML is a guest with one interface in each network.
func guestXML(name string, number int, networks ...string) string {
	nics := ""
	for i, network := range networks {
		nics += fmt.Sprintf(`
    <interface type='network'>
      <mac address='%s'/>
      <source network='%s'/>
    </interface>`, mac(number, i), network)
	}
	return fmt.Sprintf(`<domain type='test'>
  <name>%s</name>
  <memory unit='MiB'>64</memory>
  <os><type>hvm</type></os>
  <devices>%s
  </devices>
</domain>`, name, nics)
}

func mac(guest, nic int) string { return fmt.Sprintf("52:54:00:de:%02x:%02x", guest, nic) }
