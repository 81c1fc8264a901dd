package exec

import "os"

// passedOn are the variables that libvirt passes to its children where they are
// set, in its order (virCommandAddEnvPassCommon in src/util/vircommand.c).
var passedOn = [...]string{"LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HOME", "USER", "LOGNAME", "TMPDIR"}

// environment is a script's whole environment: what libvirt gives, then extra.
func environment(extra []string) []string {
	env := make([]string, 0, 1+len(passedOn)+len(extra))
	env = append(env, "LC_ALL=C")
	for _, name := range passedOn {
		if value, set := os.LookupEnv(name); set {
			env = append(env, name+"="+value)
		}
	}
	return append(env, extra...)
}

// Environment returns the whole environment of a script that is called with these
// additions.
func Environment(extra []string) []string { return environment(extra) }
