package check

// ConfigOK is the finding about a configuration file that was read.
func ConfigOK(path string) Finding {
	return ok(Config, path, path+" is in order")
}

// ConfigProblem is the finding about one mistake in a configuration file, or
// about a file that cannot be read.
func ConfigProblem(path, text string) Finding {
	return problem(Config, path, text, "Correct the file; hookbridge.toml(5) lists what may stand there.")
}
