package early

import (
	"os"

	"hookbridge/internal/gate/ask"
)

func init() {
	if len(os.Args) > 2 && os.Args[1] == "gate" && os.Args[2] == "run" {
		os.Exit(ask.Main(os.Args[3:], os.Stdin, os.Stdout, os.Stderr))
	}
}
