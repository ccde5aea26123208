// A member of a group, with sarama. What it prints is described in `members.py`.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/IBM/sarama"

	"logan/tests/clients/groups/member"
)

type handler struct {
	lock  sync.Mutex
	owned map[int32]bool
}

func (it *handler) Setup(sarama.ConsumerGroupSession) error { return nil }

func (it *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// A session of a cooperative member goes on through rebalances, and partitions come to it and go one by one.
func (it *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	it.change(claim.Partition(), true)
	defer it.change(claim.Partition(), false)
	// What a rebalance refused to take before.
	defer session.Commit()
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			it.handle(session, claim, message)
		case <-session.Context().Done():
			return nil
		}
	}
}

func (it *handler) change(partition int32, given bool) {
	it.lock.Lock()
	defer it.lock.Unlock()
	if given {
		it.owned[partition] = true
	} else {
		delete(it.owned, partition)
	}
	member.Own(it.owned)
}

// Handles a record and those behind it that are there already.
func (it *handler) handle(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim, message *sarama.ConsumerMessage) {
	it.lock.Lock()
	defer it.lock.Unlock()
	if session.Context().Err() != nil {
		return
	}
	var line member.Line
	for message != nil {
		line.Add(message.Partition, message.Offset)
		session.MarkMessage(message, "")
		select {
		// A channel that is closed gives nil.
		case message = <-claim.Messages():
		default:
			message = nil
		}
	}
	line.Print()
	session.Commit()
}

func main() {
	options := member.Parse()
	config := sarama.NewConfig()
	config.Version = sarama.V3_6_0_0
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	config.Consumer.Group.Session.Timeout = options.Session
	config.Consumer.Group.Heartbeat.Interval = options.Heartbeat
	config.Consumer.Group.InstanceId = options.Instance
	config.Metadata.Retry.Max = 1000
	if options.Protocol == "cooperative" {
		config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyCooperativeSticky()}
	}
	context, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	member.Up()
	var group sarama.ConsumerGroup
	for group == nil && context.Err() == nil {
		made, err := sarama.NewConsumerGroup([]string{options.Bootstrap}, options.Group, config)
		if err != nil {
			fmt.Fprintln(os.Stderr, "refused", err)
			time.Sleep(200 * time.Millisecond)
			continue
		}
		group = made
	}
	it := &handler{owned: map[int32]bool{}}
	for context.Err() == nil {
		if err := group.Consume(context, []string{options.Topic}, it); err != nil {
			fmt.Fprintln(os.Stderr, "refused", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	if group != nil {
		_ = group.Close()
	}
	member.End()
}
