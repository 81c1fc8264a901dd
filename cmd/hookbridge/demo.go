package main

import (
	"github.com/spf13/cobra"

	"hookbridge/agent/demo"
)

func demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "A tour on libvirt's built-in test driver",
		Long: `Starts libvirt's test driver inside this process, lets the real agent watch
it, starts and stops networks and guests, and shows each call of a hook
script as it happens. It needs no libvirtd and no root, and touches nothing.
The exit status is 0 only if every expected call was seen.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo.Run(cmd.Context(), cmd.OutOrStdout())
		},
	}
}
