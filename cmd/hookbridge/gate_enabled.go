//go:build gate

package main

func init() { extraCommands = append(extraCommands, gateCommand) }
