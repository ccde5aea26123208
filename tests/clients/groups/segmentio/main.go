// A member of a group, with segmentio/kafka-go. What it prints is described in `members.py`. Its Reader does not say which
// partitions it has, so neither does this.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	kafka "github.com/segmentio/kafka-go"

	"logan/tests/clients/groups/member"
)

// What the Reader has within a moment.
func gather(until context.Context, reader *kafka.Reader) []kafka.Message {
	until, cancel := context.WithTimeout(until, 50*time.Millisecond)
	defer cancel()
	var messages []kafka.Message
	for until.Err() == nil {
		message, err := reader.FetchMessage(until)
		if err == nil {
			messages = append(messages, message)
		} else if until.Err() == nil {
			fmt.Fprintln(os.Stderr, "refused", err)
			time.Sleep(50 * time.Millisecond)
		}
	}
	return messages
}

func main() {
	options := member.Parse()
	member.Up()
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:               []string{options.Bootstrap},
		GroupID:               options.Group,
		Topic:                 options.Topic,
		StartOffset:           kafka.FirstOffset,
		SessionTimeout:        options.Session,
		HeartbeatInterval:     options.Heartbeat,
		RebalanceTimeout:      10 * time.Second,
		JoinGroupBackoff:      200 * time.Millisecond,
		ReadBackoffMin:        10 * time.Millisecond,
		ReadBackoffMax:        200 * time.Millisecond,
		MaxWait:               200 * time.Millisecond,
		WatchPartitionChanges: false,
	})
	until, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	for until.Err() == nil {
		messages := gather(until, reader)
		var line member.Line
		for _, message := range messages {
			line.Add(int32(message.Partition), message.Offset)
		}
		if !line.Print() {
			continue
		}
		if err := reader.CommitMessages(context.Background(), messages...); err != nil {
			fmt.Fprintln(os.Stderr, "refused", err)
		}
	}
	_ = reader.Close()
	member.End()
}
