// Package manual makes manual pages: it fills in what a page written by hand
// leaves open.
//
// A page is mdoc(7). These lines are replaced:
//
//	@COMMANDS@  one subsection for each command, from its help texts
//
// and, anywhere, @DATE@ and @VERSION@. What is generated passes "mandoc -Tlint" as it is.
package manual
