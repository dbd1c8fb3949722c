// Loadgen drives a Temporal cluster with subscription renewals and says how fast they were.
//
//	loadgen ready   waits until all services serve, then makes the namespace
//	loadgen worker  runs the workflow and its activities
//	loadgen drive   so many clients, each starts a renewal, waits for its result and starts the next one
//
// Worker and driver are programs of their own so that each one's CPU can be told apart.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"go.temporal.io/sdk/client"
	tlog "go.temporal.io/sdk/log"
)

const queue = "renewals"

// where says which cluster and namespace to talk to.
type where struct {
	address, namespace string
}

func (w *where) flags(set *flag.FlagSet) {
	set.StringVar(&w.address, "address", "127.0.0.1:7233", "the frontend")
	set.StringVar(&w.namespace, "namespace", "bench", "the namespace")
}

func (w *where) dial() (client.Client, error) {
	// Warnings are part of any restart and flood the output under load; errors are counted by the driver.
	quiet := tlog.NewStructuredLogger(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	return client.Dial(client.Options{HostPort: w.address, Namespace: w.namespace, Logger: quiet})
}

func main() {
	commands := map[string]func(context.Context, []string) error{"ready": ready, "worker": work, "drive": drive}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: loadgen ready|worker|drive [flags]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintf(os.Stderr, "loadgen %s: %v\n", os.Args[1], err)
		os.Exit(1)
	}
}
