package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"hookbridge/internal/manual"
)

// manualCommand makes the manual pages, for those who build packages.
func manualCommand() *cobra.Command {
	var date string
	cmd := &cobra.Command{
		Use:    "manual",
		Short:  "Complete a manual page: stdin to stdout",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			day, err := time.Parse(time.DateOnly, date)
			if err != nil {
				return usageError{fmt.Errorf("--date: %w", err)}
			}
			page, err := io.ReadAll(cmd.InOrStdin())
			if err != nil {
				return err
			}
			cmd.Root().InitDefaultCompletionCmd()
			_, err = io.WriteString(cmd.OutOrStdout(), manual.Fill(string(page), cmd.Root(), version, day))
			return err
		},
	}
	cmd.Flags().StringVar(&date, "date", time.Now().UTC().Format(time.DateOnly), "the page's date")
	return cmd
}
