//go:build race

package api

// documentSize is the size of a large guest document. The race detector makes reading
// one of the greatest size take longer than the agent has for it.
const documentSize = 1 << 20
