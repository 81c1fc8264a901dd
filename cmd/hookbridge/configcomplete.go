package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hookbridge/agent"
	"hookbridge/internal/config"
	"hookbridge/translate"
)

// completeOption makes a shell complete what an option takes.
func completeOption(cmd *cobra.Command, o config.Option) {
	var complete cobra.CompletionFunc
	switch {
	case o.Words != nil:
		complete = cobra.FixedCompletions(o.Words, cobra.ShellCompDirectiveNoFileComp)
	case o.Key == "ops":
		complete = completeList(append([]string{"auto"}, strings.Split(translate.NewOps(translate.AllOps()...).String(), ",")...))
	case o.Key == "without":
		var features []string
		for _, f := range agent.Features() {
			features = append(features, string(f))
		}
		complete = completeList(features)
	case o.Key == "connect":
		complete = cobra.FixedCompletions(append(agent.DefaultConnect(), "xen:///", "test:///default"), cobra.ShellCompDirectiveNoFileComp)
	case strings.HasSuffix(o.Key, "_dir"):
		_ = cmd.MarkFlagDirname(o.Flag)
		return
	case o.Key == "socket":
		return // any file
	default:
		complete = cobra.NoFileCompletions
	}
	_ = cmd.RegisterFlagCompletionFunc(o.Flag, complete)
}

// completeList completes the last of words with commas between them, with those that
// are not there yet.
func completeList(words []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		there := strings.Split(before, ",")
		var all []string
		for _, w := range words {
			if w != "auto" && !slices.Contains(there, w) || before == "" { // auto stands alone
				all = append(all, before+w)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
