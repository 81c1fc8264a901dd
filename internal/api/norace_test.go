//go:build !race

package api

import "hookbridge/internal/gate/ask"

// documentSize is the size of a large guest document.
const documentSize = ask.DocumentSize
