// Package member is what the Go members have in common: their options, and what they print.
package member

import (
	"flag"
	"fmt"
	"sort"
	"strings"
	"time"
)

// How often, and after what pause, a commit is tried that a rebalance refuses when partitions are given up.
const (
	CommitsMax  = 200
	CommitPause = 20 * time.Millisecond
)

// Options of a member.
type Options struct {
	Bootstrap, Topic, Group, Protocol, Instance string
	Session, Heartbeat                          time.Duration
}

// Parse reads the command line.
func Parse() Options {
	var options Options
	flag.StringVar(&options.Bootstrap, "bootstrap", "", "host:port")
	flag.StringVar(&options.Topic, "topic", "", "topic")
	flag.StringVar(&options.Group, "group", "", "group")
	flag.StringVar(&options.Protocol, "protocol", "eager", "eager, cooperative or consumer")
	flag.StringVar(&options.Instance, "instance", "", "group.instance.id")
	session := flag.Int("session-ms", 6000, "session timeout")
	heartbeat := flag.Int("heartbeat-ms", 500, "heartbeat interval")
	flag.Parse()
	options.Session = time.Duration(*session) * time.Millisecond
	options.Heartbeat = time.Duration(*heartbeat) * time.Millisecond
	return options
}

// Up says that the member is about to join.
func Up() { fmt.Println("up") }

// Own prints the partitions that the member has from now on.
func Own(partitions map[int32]bool) {
	numbers := make([]int, 0, len(partitions))
	for partition := range partitions {
		numbers = append(numbers, int(partition))
	}
	sort.Ints(numbers)
	texts := make([]string, 0, len(numbers))
	for _, number := range numbers {
		texts = append(texts, fmt.Sprint(number))
	}
	fmt.Println("own", strings.Join(texts, ","))
}

// Line gathers the records of one poll.
type Line struct{ parts []string }

// Add adds a record.
func (line *Line) Add(partition int32, offset int64) {
	line.parts = append(line.parts, fmt.Sprintf("%d:%d", partition, offset))
}

// Print prints them; whether there were any.
func (line *Line) Print() bool {
	if len(line.parts) == 0 {
		return false
	}
	fmt.Println("got", strings.Join(line.parts, " "))
	return true
}

// Done says that all that the member was given of what it owns is committed.
func Done() { fmt.Println("done") }

// End says that the member has left.
func End() { fmt.Println("end") }
