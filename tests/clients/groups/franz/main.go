// A member of a group, with franz-go. What it prints is described in `members.py`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"logan/tests/clients/groups/member"
)

func main() {
	options := member.Parse()
	var lock sync.Mutex
	owned := map[int32]bool{}
	change := func(given bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, topics map[string][]int32) {
			lock.Lock()
			defer lock.Unlock()
			for _, partition := range topics[options.Topic] {
				if given {
					owned[partition] = true
				} else {
					delete(owned, partition)
				}
			}
			member.Own(owned)
		}
	}
	settings := []kgo.Opt{
		kgo.SeedBrokers(options.Bootstrap),
		kgo.ConsumerGroup(options.Group),
		kgo.ConsumeTopics(options.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(options.Session),
		kgo.HeartbeatInterval(options.Heartbeat),
		kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(change(true)),
		kgo.OnPartitionsRevoked(func(context context.Context, client *kgo.Client, topics map[string][]int32) {
			commit(context, client)
			change(false)(context, client, topics)
		}),
		kgo.OnPartitionsLost(change(false)),
	}
	switch options.Protocol {
	case "cooperative":
		settings = append(settings, kgo.Balancers(kgo.CooperativeStickyBalancer()))
	case "consumer":
		// The client offers the new protocol to those who ask for it in their context only.
		settings = append(settings, kgo.WithContext(context.WithValue(context.Background(), "opt_in_kafka_next_gen_balancer_beta", true)), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	default:
		settings = append(settings, kgo.Balancers(kgo.RangeBalancer()))
	}
	if options.Instance != "" {
		settings = append(settings, kgo.InstanceID(options.Instance))
	}
	member.Up()
	client, err := kgo.NewClient(settings...)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	until, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	for until.Err() == nil {
		consume(until, client)
	}
	commit(context.Background(), client)
	client.Close()
	member.End()
}

func consume(until context.Context, client *kgo.Client) {
	fetches := client.PollRecords(until, 500)
	defer client.AllowRebalance()
	var line member.Line
	fetches.EachRecord(func(record *kgo.Record) { line.Add(record.Partition, record.Offset) })
	if !line.Print() {
		return
	}
	// A member that is asked to end commits what it has first.
	if err := client.CommitUncommittedOffsets(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "refused", err)
		return
	}
	member.Done()
}

// Commits what could not be committed while the others were joining; the next rebalance may have begun already.
func commit(context context.Context, client *kgo.Client) {
	for attempt := 0; attempt < member.CommitsMax; attempt++ {
		err := client.CommitUncommittedOffsets(context)
		if err == nil {
			member.Done()
		}
		if !errors.Is(err, kerr.RebalanceInProgress) {
			return
		}
		time.Sleep(member.CommitPause)
	}
}
