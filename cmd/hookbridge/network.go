package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"hookbridge/internal/api"
)

func networkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "network",
		Short: "Start a network whose hook script can refuse it",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(networkStartCommand())
	return cmd
}

func networkStartCommand() *cobra.Command {
	var o reach
	var connection string
	cmd := &cobra.Command{
		Use:   "start NETWORK",
		Short: "Start a network; its start hook is called first, and can refuse",
		Long: `Starts a network as a libvirtd with the network hook does: the hook's start is
called first, and if its script fails libvirt is never asked. Then libvirt
starts the network, and started is called, whose failure takes it down again.`,
		Example: `  hookbridge network start default`,
		Args:    cobra.ExactArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			err := o.client(cmd).StartNetwork(cmd.Context(), api.NetworkStart{Network: args[0], Connection: connection})
			if err != nil {
				return asked(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "network %s is up\n", args[0])
			return nil
		},
	}
	o.bind(cmd)
	cmd.Flags().StringVar(&connection, "connection", "", "the connection's `URI`, where several have networks")
	return cmd
}
