package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"hookbridge": func() {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			os.Exit(execute(ctx, os.Args[1:]))
		},
	})
}

// Each file in testdata is a session on the command line.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setUpSeat,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"awaits":   awaits,
			"exits":    exits,
			"systemd":  systemd,
			"notified": notified,
			"hangup":   hangup,
		},
	})
}

// exits runs a command and checks its exit status: exits 2 hookbridge …
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND [ARGUMENT…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	want := args[0]
	got := "0"
	if err != nil {
		got = err.Error()
		want = "exit status " + want
	}
	if got != want {
		ts.Fatalf("%q: %s, want %s", args[1:], got, want)
	}
}
