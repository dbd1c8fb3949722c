package main

import (
	"context"
	"flag"
	"time"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Renewal charges a customer and tells them: two activities, one after the other, that do nothing, so that what
// is measured is the cluster.
func Renewal(ctx workflow.Context, customer string) (string, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: time.Minute})
	var receipt string
	if err := workflow.ExecuteActivity(ctx, Charge, customer).Get(ctx, &receipt); err != nil {
		return "", err
	}
	err := workflow.ExecuteActivity(ctx, Email, receipt).Get(ctx, nil)
	return receipt, err
}

// Charge takes the money.
func Charge(_ context.Context, customer string) (string, error) { return "receipt of " + customer, nil }

// Email sends the receipt.
func Email(_ context.Context, _ string) error { return nil }

// work runs a worker until it is told to end. Without flags it has the SDK's own options.
func work(ctx context.Context, words []string) error {
	var at where
	var options worker.Options
	set := flag.NewFlagSet("worker", flag.ExitOnError)
	at.flags(set)
	set.IntVar(&options.MaxConcurrentWorkflowTaskExecutionSize, "workflow-slots", 0, "0: the SDK's default")
	set.IntVar(&options.MaxConcurrentActivityExecutionSize, "activity-slots", 0, "0: the SDK's default")
	set.IntVar(&options.MaxConcurrentWorkflowTaskPollers, "workflow-pollers", 0, "0: the SDK's default")
	set.IntVar(&options.MaxConcurrentActivityTaskPollers, "activity-pollers", 0, "0: the SDK's default")
	set.BoolVar(&options.DisableEagerActivities, "no-eager", false, "take every activity from the task queue")
	cache := set.Int("cache", 0, "workflows in the sticky cache; 0: the SDK's default")
	if err := set.Parse(words); err != nil {
		return err
	}
	if *cache > 0 {
		worker.SetStickyWorkflowCacheSize(*cache)
	}
	c, err := at.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	w := worker.New(c, queue, options)
	w.RegisterWorkflow(Renewal)
	w.RegisterActivity(Charge)
	w.RegisterActivity(Email)
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	<-ctx.Done()
	return nil
}
