package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
)

const (
	connections = 4 // of all clients together: one connection's streams share a lock
	patience    = 2 * time.Minute
)

// ending is one renewal that ended within the measured time.
type ending struct {
	took time.Duration
	err  error
}

// report is what the driver prints at the end.
type report struct {
	Seconds   float64 `json:"seconds"`
	Completed int     `json:"completed"`
	Errors    int     `json:"errors"`
	Sample    string  `json:"sample,omitempty"` // the first error
	P50       float64 `json:"p50_ms"`
	P95       float64 `json:"p95_ms"`
	P99       float64 `json:"p99_ms"`
	Worst     float64 `json:"worst_ms"`
}

// drive keeps so many renewals under way. It prints "begin" as the measured time begins and a report as it ends.
func drive(ctx context.Context, words []string) error {
	var at where
	set := flag.NewFlagSet("drive", flag.ExitOnError)
	at.flags(set)
	clients := set.Int("clients", 50, "how many, each with one renewal under way")
	warmup := set.Duration("warmup", 10*time.Second, "before anything is measured")
	measured := set.Duration("measured", 30*time.Second, "how long to measure")
	if err := set.Parse(words); err != nil {
		return err
	}
	var dialled []client.Client
	for range connections {
		c, err := at.dial()
		if err != nil {
			return err
		}
		defer c.Close()
		dialled = append(dialled, c)
	}
	load := &load{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for number := range *clients {
		go load.renew(ctx, dialled[number%connections], fmt.Sprintf("customer-%d", number))
	}
	if err := wait(ctx, *warmup); err != nil {
		return err
	}
	begun := load.begin()
	fmt.Println("begin")
	if err := wait(ctx, *measured); err != nil {
		return err
	}
	found := load.end()
	return json.NewEncoder(os.Stdout).Encode(summary(found, time.Since(begun)))
}

// load collects what ends while `open`.
type load struct {
	mutex   sync.Mutex
	open    bool
	endings []ending
}

func (l *load) begin() time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.open = true
	return time.Now()
}

func (l *load) end() []ending {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.open = false
	return l.endings
}

func (l *load) renew(ctx context.Context, c client.Client, customer string) {
	for ctx.Err() == nil {
		begun := time.Now()
		err := once(ctx, c, customer)
		l.mutex.Lock()
		if l.open {
			l.endings = append(l.endings, ending{time.Since(begun), err})
		}
		l.mutex.Unlock()
		if err != nil {
			_ = wait(ctx, 100*time.Millisecond) // a cluster that refuses is not to be flooded
		}
	}
}

func once(ctx context.Context, c client.Client, customer string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: queue}, Renewal, customer)
	if err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

func summary(found []ending, took time.Duration) report {
	r := report{Seconds: took.Seconds()}
	var times []float64
	for _, one := range found {
		if one.err == nil {
			times = append(times, float64(one.took.Microseconds())/1000)
			continue
		}
		if r.Errors++; r.Sample == "" {
			r.Sample = one.err.Error()
		}
	}
	r.Completed = len(times)
	if len(times) == 0 {
		return r
	}
	slices.Sort(times)
	r.P50, r.P95, r.P99, r.Worst = quantile(times, 50), quantile(times, 95), quantile(times, 99), times[len(times)-1]
	return r
}

// quantile returns the smallest time that so many of a hundred do not exceed.
func quantile(sorted []float64, percent int) float64 {
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}

func wait(ctx context.Context, long time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(long):
		return nil
	}
}
