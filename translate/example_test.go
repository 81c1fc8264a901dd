package translate_test

import (
	"fmt"
	"log"

	"hookbridge/translate"
)

const front = `<network>
  <name>front</name>
  <bridge name='virbr0'/>
</network>
`

const web = `<domain type='kvm' id='7'>
  <name>web</name>
  <uuid>2b4c4b0e-7d0f-4c38-9d8f-3f1a7f6f2f10</uuid>
  <devices>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='front'/>
      <target dev='vnet0'/>
      <alias name='net0'/>
    </interface>
  </devices>
</domain>
`

// A guest starts, and stops: each look leads from the record to what is seen, and says
// which calls that takes.
func ExampleDomain_Look() {
	networks := func(string) (document, inexact string) { return front, "" }
	seen := translate.DomainSeen{
		Conn: "qemu:///system", NetworkConn: "qemu:///system",
		UUID: "2b4c4b0e-7d0f-4c38-9d8f-3f1a7f6f2f10", Name: "web",
		Running: true, ID: 7, Live: web, Cause: translate.CauseEvent,
	}
	var record *translate.Domain // nothing has been announced
	record, calls, err := record.Look(seen, networks)
	if err != nil {
		log.Fatal(err)
	}
	for _, call := range calls {
		fmt.Println(call.Args())
	}

	record, calls, _ = record.Look(seen, networks) // another hint, and no change
	fmt.Println(len(calls), "calls")

	seen.Running, seen.Live = false, ""
	record, calls, _ = record.Look(seen, networks)
	for _, call := range calls {
		fmt.Println(call.Args(), "with the last live document:", call.Documents.Domain == web)
	}
	fmt.Println("nothing to remember:", record == nil)

	// Output:
	// [front plugged begin -]
	// 0 calls
	// [front unplugged begin -] with the last live document: true
	// nothing to remember: true
}

// A network comes up.
func ExampleNetwork_Look() {
	var record *translate.Network
	_, calls := record.Look(translate.NetworkSeen{
		Conn: "qemu:///system", Name: "front", Active: true, Live: front, Cause: translate.CauseKick,
	})
	for _, call := range calls {
		fmt.Println(call.Args())
	}

	// Output:
	// [front start begin -]
	// [front started begin -]
}

// What a script reads at plugged.
func ExampleCall_Stdin() {
	nics, err := translate.Interfaces(web)
	if err != nil {
		log.Fatal(err)
	}
	call := translate.Call{
		Op: translate.OpPlugged, Network: "front",
		Documents: translate.Documents{Interface: nics[0], Network: front, Domain: "<domain type='kvm' id='7'>\n  <name>web</name>\n</domain>\n"},
	}
	stdin, err := call.Stdin(translate.Payload123, 1, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", stdin)

	// Output:
	// <hookData>
	//   <interface type='network'>
	//     <mac address='52:54:00:00:00:01'/>
	//     <source network='front'/>
	//     <target dev='vnet0'/>
	//     <alias name='net0'/>
	//   </interface>
	//   <network connections='1'>
	//     <name>front</name>
	//     <bridge name='virbr0'/>
	//   </network>
	//   <domain type='kvm' id='7'>
	//     <name>web</name>
	//   </domain>
	// </hookData>
}

// Which operations are left to be made beside a libvirtd, by what is found in the files
// that it has mapped.
func ExampleJudge() {
	for _, marks := range []translate.Marks{
		{Source: "a libvirtd of 2013"},
		{Source: "a libvirtd of 2014", HookData: true, Unplugged: true},
		{Source: "a libvirtd of 2019", HookData: true, PortCreated: true},
	} {
		verdict := translate.Judge(marks, 0)
		fmt.Printf("%s: %q\n", verdict.Reason, verdict.Auto())
	}

	// Output:
	// a libvirtd of 2013 has no network hook: "start,started,stopped,plugged,unplugged"
	// a libvirtd of 2014 has the network hook with plugged and unplugged: ""
	// a libvirtd of 2019 has the network hook with port-created: "plugged,unplugged"
}
