// Package heap bounds how much the heap of this process grows between two garbage
// collections.
//
// Go lets it grow by a share of what is in use, GOGC, 100 % if nothing is said. For hook
// calls with few guests known that is 4 MiB, and a collection every few dozen calls: with
// 8 MiB, half as many, a call takes 1 to 5 % less processor time. With 10,000 guests known
// it would be 25 MiB, which no call is faster for.
package heap
