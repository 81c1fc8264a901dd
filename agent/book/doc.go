// Package book remembers for people what nothing else needs: since when each announced
// object is announced, how its last call ended, which scripts run, and which calls have
// failed of late.
//
// The agent tells it of each call when it is planned, when its scripts begin and when
// it has ended; nothing is asked of the agent, and nothing that the agent decides
// depends on the book. What an earlier run of the agent knew is recalled from the
// history, once somebody asks.
//
// There is an entry for an announced object only, so the book is no larger than what is
// announced. There may be tens of thousands of interfaces: their entries are small, and
// hold on to no document.
package book
