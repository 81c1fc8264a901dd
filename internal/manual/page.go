package manual

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Fill returns a page with what it leaves open.
func Fill(page string, root *cobra.Command, version string, date time.Time) string {
	page = strings.ReplaceAll(page, "@DATE@", date.UTC().Format("January 2, 2006"))
	page = strings.ReplaceAll(page, "@VERSION@", version)
	if strings.Contains(page, "@COMMANDS@\n") {
		var b strings.Builder
		for _, cmd := range root.Commands() {
			command(&b, cmd)
		}
		page = strings.Replace(page, "@COMMANDS@\n", b.String(), 1)
	}
	return page
}

// command writes the subsection of a command, and those of what is below it.
func command(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Hidden || !cmd.IsAvailableCommand() || cmd.Name() == "help" {
		return
	}
	if cmd.Name() == "completion" {
		// cobra explains each shell at length, which its help does as well.
		fmt.Fprintf(b, ".Ss %s Ar shell\n%s", escape(cmd.CommandPath()), filled("Prints a script that makes a shell complete commands and options: "+
			strings.Join(names(cmd), ", ")+". The packages have installed it."))
		return
	}
	fmt.Fprintf(b, ".Ss %s\n", escape(strings.Replace(cmd.UseLine(), " [flags]", "", 1)))
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	b.WriteString(prose(text))
	options(b, cmd.LocalFlags())
	if cmd.Example != "" {
		b.WriteString(".Pp\nExamples:\n")
		b.WriteString(literal(cmd.Example))
	}
	for _, sub := range cmd.Commands() {
		command(b, sub)
	}
}

// capital begins a sentence; names and what is typed stay small.
func capital(text string) string {
	first, _, _ := strings.Cut(text, " ")
	if !smallWord.MatchString(first) || strings.HasPrefix(first, "libvirt") {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

var smallWord = regexp.MustCompile(`^[a-z]+,?$`)

func names(cmd *cobra.Command) []string {
	var all []string
	for _, sub := range cmd.Commands() {
		all = append(all, sub.Name())
	}
	return all
}

// options writes a list of flags.
func options(b *strings.Builder, flags *pflag.FlagSet) {
	begun := false
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		if !begun {
			begun = true
			b.WriteString(".Bl -tag -width Ds\n")
		}
		argument, usage := pflag.UnquoteUsage(f)
		b.WriteString(".It ")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "Fl %s , ", f.Shorthand)
		}
		fmt.Fprintf(b, "Fl %s", escape("-"+f.Name))
		if argument != "" {
			fmt.Fprintf(b, " Ar %s", escape(argument))
		}
		b.WriteString("\n")
		usage = capital(usage)
		if !strings.HasSuffix(usage, ")") {
			usage += "."
		}
		if def := f.DefValue; def != "" && def != "0" && def != "false" && def != "[]" && !strings.Contains(usage, "(default") {
			usage = strings.TrimSuffix(usage, ".") + " (default: " + strings.Trim(def, "[]") + ")"
		}
		b.WriteString(filled(usage))
	})
	if begun {
		b.WriteString(".El\n")
	}
}
