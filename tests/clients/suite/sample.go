// Package suite is the client suite's contract for Go programs: the sample records, the produce variants, the checks.
//
// The same contract stands in suite.py, and inside the Java and kafkajs programs; README.md describes it.
package suite

import (
	"bytes"
	"fmt"
	"strings"
)

const (
	// Partitions of the data topic; sample i belongs to partition i modulo this.
	Partitions = 3
	// OversizedBytes is above the broker's default message.max.bytes (1,048,588).
	OversizedBytes     = 2 << 20
	recordsPerVariant  = 30
	firstTimestampMs   = 1_700_000_000_000
	middleOffset       = 37
	timestampOffset    = 53
	farBeyondTheEnd    = 1_000_000
	maxMessageBytesKey = "max.message.bytes"

	// RetentionKey is set to RetentionForEver on every topic: the samples' timestamps lie years back, and with the default
	// retention the broker would soon delete them.
	RetentionKey     = "retention.ms"
	RetentionForEver = "-1"
)

// Header of a record; the value is nil when it is null.
type Header struct {
	Key   string
	Value []byte
}

// Record as it is produced (Offset unset) or read. Key and Value are nil when null.
type Record struct {
	Partition   int
	Offset      int64
	TimestampMs int64
	Key, Value  []byte
	Headers     []Header
}

// Variant is one way to produce: its samples follow those of the variant before it.
type Variant struct {
	Position   int
	Codec      string // none, gzip, snappy, lz4, zstd
	Acks       int    // -1 (all), 0, 1
	Idempotent bool
}

func (v Variant) String() string {
	acks, idempotence := fmt.Sprint(v.Acks), "off"
	if v.Acks == -1 {
		acks = "all"
	}
	if v.Idempotent {
		idempotence = "on"
	}
	return fmt.Sprintf("codec=%s acks=%s idempotence=%s", v.Codec, acks, idempotence)
}

// Variants lists every codec with acks=all, then acks 1 and 0, then (where the client knows it) idempotence.
func Variants(idempotence bool) []Variant {
	codecs := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	var list []Variant
	add := func(codec string, acks int, idempotent bool) {
		list = append(list, Variant{len(list), codec, acks, idempotent})
	}
	for _, codec := range codecs {
		add(codec, -1, false)
	}
	add("none", 1, false)
	add("none", 0, false)
	add("zstd", 0, false)
	if idempotence {
		for _, codec := range codecs {
			add(codec, -1, true)
		}
	}
	return list
}

// Samples of a variant, in the order they are sent.
func (v Variant) Samples(nullHeaders bool) []Record {
	var records []Record
	for index := v.Position * recordsPerVariant; index < (v.Position+1)*recordsPerVariant; index++ {
		records = append(records, sample(index, nullHeaders))
	}
	return records
}

// sample is a pure function of the index, the same in every language.
func sample(index int, nullHeaders bool) Record {
	record := Record{
		Partition:   index % Partitions,
		Offset:      int64(index / Partitions),
		TimestampMs: firstTimestampMs + int64(index),
	}
	if index%4 != 0 {
		record.Key = fmt.Appendf(nil, "key-%d", index)
	}
	if index%4 == 3 {
		record.Key = append(record.Key, 0x00, 0xff)
	}
	text := fmt.Sprintf("value-%d;", index)
	switch index % 5 {
	case 0:
		if record.Key == nil { // some clients refuse a record that has neither
			record.Value = []byte(text)
		}
	case 1:
		record.Value = []byte{}
	case 2:
		record.Value = []byte(text)
	case 3:
		record.Value = []byte(strings.Repeat(text, 20))
	case 4:
		record.Value = []byte(strings.Repeat(text, 200))
	}
	switch index / Partitions % 3 {
	case 1:
		record.Headers = []Header{{"one", []byte("1")}}
	case 2:
		last := []byte("z")
		if nullHeaders {
			last = nil
		}
		record.Headers = []Header{{"twice", []byte("a")}, {"twice", []byte("b")}, {"empty", []byte{}}, {"last", last}}
	}
	return record
}

// expected is what one partition holds after all variants, in offset order.
func expected(variants []Variant, partition int, nullHeaders bool) []Record {
	var records []Record
	for _, variant := range variants {
		for _, record := range variant.Samples(nullHeaders) {
			if record.Partition == partition {
				records = append(records, record)
			}
		}
	}
	return records
}

// compare holds what was read against the samples. A null is not an empty value.
func compare(wanted, got []Record) error {
	if len(wanted) != len(got) {
		return fmt.Errorf("%d records instead of %d", len(got), len(wanted))
	}
	for i := range wanted {
		if !same(wanted[i], got[i]) {
			return fmt.Errorf("got %.300s, wanted %.300s", fmt.Sprintf("%#v", got[i]), fmt.Sprintf("%#v", wanted[i]))
		}
	}
	return nil
}

func same(a, b Record) bool {
	if a.Partition != b.Partition || a.Offset != b.Offset || a.TimestampMs != b.TimestampMs ||
		!sameBytes(a.Key, b.Key) || !sameBytes(a.Value, b.Value) || len(a.Headers) != len(b.Headers) {
		return false
	}
	for i := range a.Headers {
		if a.Headers[i].Key != b.Headers[i].Key || !sameBytes(a.Headers[i].Value, b.Headers[i].Value) {
			return false
		}
	}
	return true
}

func sameBytes(a, b []byte) bool {
	return (a == nil) == (b == nil) && bytes.Equal(a, b)
}
