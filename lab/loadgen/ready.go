package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	health "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Only these names tell the truth: to an empty one a service answers SERVING from its first moment.
var services = []struct {
	name string
	port int
}{
	{"MatchingService", 7235},
	{"HistoryService", 7234},
	{"WorkflowService", 7233},
}

// ready waits for the services of one machine and makes the namespace.
func ready(ctx context.Context, words []string) error {
	var at where
	set := flag.NewFlagSet("ready", flag.ExitOnError)
	at.flags(set)
	limit := set.Duration("limit", time.Minute, "how long to wait")
	if err := set.Parse(words); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	for _, one := range services {
		if err := serving(ctx, fmt.Sprintf("127.0.0.1:%d", one.port), "temporal.api.workflowservice.v1."+one.name); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
	}
	return makeNamespace(ctx, at)
}

func serving(ctx context.Context, address, name string) error {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	asked := health.NewHealthClient(connection)
	return until(ctx, func() error {
		answer, err := asked.Check(ctx, &health.HealthCheckRequest{Service: name})
		if err == nil && answer.Status != health.HealthCheckResponse_SERVING {
			err = errors.New(answer.Status.String())
		}
		return err
	})
}

func makeNamespace(ctx context.Context, at where) error {
	namespaces, err := client.NewNamespaceClient(client.Options{HostPort: at.address})
	if err != nil {
		return err
	}
	defer namespaces.Close()
	return until(ctx, func() error {
		err := namespaces.Register(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace:                        at.namespace,
			WorkflowExecutionRetentionPeriod: durationpb.New(72 * time.Hour),
		})
		var there *serviceerror.NamespaceAlreadyExists
		if errors.As(err, &there) {
			return nil
		}
		return err
	})
}

// until tries again and again; at the end of ctx it returns what was wrong last.
func until(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}
