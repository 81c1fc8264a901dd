package exec_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"hookbridge/exec"
)

func Example() {
	dir, err := os.MkdirTemp("", "hooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	script := `#!/bin/sh
echo "$2 of $1 with $(wc -c) bytes"
if [ "$2" = plugged ]; then
	echo "no VLAN left" >&2
	exit 3
fi
`
	if err := os.WriteFile(filepath.Join(dir, "network"), []byte(script), 0o700); err != nil {
		log.Fatal(err)
	}

	hooks := &exec.Hooks{Dir: dir, Name: "network", Timeout: 5 * time.Minute}
	for _, op := range []string{"started", "plugged"} {
		report := hooks.Run(context.Background(), exec.Invocation{
			Args:  []string{"default", op, "begin", "-"},
			Stdin: []byte("<hookData>\n</hookData>"),
			Env:   []string{"HOOKBRIDGE_RUN=1"},
		})
		for _, outcome := range report.Scripts {
			fmt.Printf("%s", outcome.Stdout.Head)
		}
		if verdict := report.Verdict(); verdict != nil {
			fmt.Printf("the script says no: exit status %d, %s\n", verdict.ExitCode, verdict.Stderr)
		} else if trouble := report.Trouble(); trouble != nil {
			fmt.Println("the script could not say:", trouble)
		}
	}

	// Output:
	// started of default with 22 bytes
	// plugged of default with 22 bytes
	// the script says no: exit status 3, no VLAN left
}

// A script that others than root could replace is not run, and the error says why.
func ExampleTrust() {
	dir, err := os.MkdirTemp("", "hooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	script := filepath.Join(dir, "network")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		log.Fatal(err)
	}
	fmt.Println(exec.Trust(script))
	if err := os.Chmod(script, 0o777); err != nil {
		log.Fatal(err)
	}
	var refused *exec.RunError
	fmt.Println(errors.As(exec.Trust(script), &refused) && refused.Kind == exec.Refused)

	// Output:
	// <nil>
	// true
}
