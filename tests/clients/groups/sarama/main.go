// A member of a group, with sarama. What it prints is described in `run`.
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
	topic string
	lock  sync.Mutex
}

func (it *handler) Setup(session sarama.ConsumerGroupSession) error {
	owned := map[int32]bool{}
	for _, partition := range session.Claims()[it.topic] {
		owned[partition] = true
	}
	member.Own(owned)
	return nil
}

func (it *handler) Cleanup(sarama.ConsumerGroupSession) error {
	member.Own(nil)
	return nil
}

func (it *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
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
	it := &handler{topic: options.Topic}
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
