package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"hookbridge/agent"
)

// version is set by the linker.
var version = "development"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of hookbridge and of libvirt's client library",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "hookbridge %s (%s %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			library, err := agent.LibraryVersion()
			if err != nil {
				library = err.Error()
			}
			fmt.Fprintf(cmd.OutOrStdout(), "libvirt.so.0: %s\n", library)
		},
	}
}
