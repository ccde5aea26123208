/* rdperf: a lean load on librdkafka for comparing brokers.
 *
 *   rdperf create  -b HOST:PORT -t TOPIC -p PARTITIONS [-c KEY=VALUE]...
 *   rdperf produce -b HOST:PORT -t TOPIC -p PARTITIONS -n RECORDS [-s BYTES] [-r MB_PER_SECOND] [-k KEYS] [-X KEY=VALUE]...
 *   rdperf consume -b HOST:PORT -t TOPIC -p PARTITIONS -n RECORDS [-X KEY=VALUE]...
 *
 * Prints one line of JSON. MB are millions of bytes of record values. With -r, a record's latency runs from the moment at which
 * it was due to its delivery report, so a broker that stalls is charged for every record that had to wait behind the stall.
 * Without it no latency is reported: it would be that of the client's own full queue. Values are random bytes from a pool and
 * are handed over without a copy; partitions take turns. With -k each record has one of that many keys, in an order that looks
 * random and is the same each time. -c is a configuration of the new topic. Every setting that -X does not name has librdkafka's default, which for acks is all.
 *
 * Ends with 1, and a line on standard error, when a record is refused, missing or out of order.
 */
#define _GNU_SOURCE
#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	PARTITIONS_MAX = 1024,
	POOL_RECORDS = 4096,
	TICK_NS = 1000 * 1000,
	REPLY_MS_MAX = 30 * 1000,
	STALL_MS_MAX = 30 * 1000,
	ERROR_BYTES_MAX = 512,
	CONFIGS_MAX = 32,
	KEY_BYTES_MAX = 32,
};
#define NS_PER_S 1000000000LL

struct options {
	const char *bootstrap, *topic;
	int partitions;
	int64_t records;
	size_t record_bytes;
	double mb_per_second; /* 0: as fast as possible */
	int64_t keys;	      /* 0: records have none */
	const char *configs[CONFIGS_MAX];
	int config_count;
};

static struct options options = {.partitions = 1, .record_bytes = 1024};

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("rdperf: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	exit(1);
}

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void sleep_until(int64_t at_ns)
{
	struct timespec at = {.tv_sec = at_ns / NS_PER_S, .tv_nsec = at_ns % NS_PER_S};
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* ---- producing ---- */

/* What the thread that serves delivery reports writes; the main thread reads `delivered` only, until that thread has ended. */
struct deliveries {
	atomic_llong delivered;
	int64_t end_ns; /* when the last one was delivered */
	int64_t refused;
	rd_kafka_resp_err_t first_error;
	uint32_t *latency_us; /* with -r, one for each delivered record, in order of delivery */
	atomic_bool done;
};

static struct deliveries deliveries;

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *record, void *opaque)
{
	(void)client;
	(void)opaque;
	int64_t index = atomic_load_explicit(&deliveries.delivered, memory_order_relaxed);
	if (record->err && !deliveries.refused++)
		deliveries.first_error = record->err;
	if (deliveries.latency_us)
		deliveries.latency_us[index] = (uint32_t)((now_ns() - (int64_t)(intptr_t)record->_private) / 1000);
	if (index + 1 == options.records)
		deliveries.end_ns = now_ns();
	atomic_store_explicit(&deliveries.delivered, index + 1, memory_order_release);
}

static void *serve_deliveries(void *client)
{
	while (!atomic_load(&deliveries.done))
		rd_kafka_poll(client, 50);
	return NULL;
}

static char *random_pool(void)
{
	size_t bytes = POOL_RECORDS * options.record_bytes;
	char *pool = malloc(bytes + sizeof(uint64_t));
	if (!pool)
		fail("no memory for %zu bytes of values", bytes);
	uint64_t state = 0x9e3779b97f4a7c15u;
	for (size_t at = 0; at < bytes; at += sizeof state) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(pool + at, &state, sizeof state);
	}
	return pool;
}

static void send_record(rd_kafka_topic_t *topic, char *pool, int64_t index, int64_t due_ns)
{
	char *value = pool + (size_t)(index % POOL_RECORDS) * options.record_bytes;
	int32_t partition = (int32_t)(index % options.partitions);
	char key[KEY_BYTES_MAX];
	int key_bytes = 0;
	if (options.keys) {
		uint64_t mixed = (uint64_t)index * 0x9e3779b97f4a7c15u;
		key_bytes = snprintf(key, sizeof key, "key-%012llu", (unsigned long long)((mixed >> 20) % (uint64_t)options.keys));
	}
	/* The library could block instead, but would then wake this thread for every single record that leaves its queue. */
	while (rd_kafka_produce(topic, partition, 0, value, options.record_bytes, key_bytes ? key : NULL, (size_t)key_bytes, (void *)(intptr_t)due_ns)) {
		if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			fail("record %lld: %s", (long long)index, rd_kafka_err2str(rd_kafka_last_error()));
		sleep_until(now_ns() + TICK_NS);
	}
}

static void send_all(rd_kafka_topic_t *topic, char *pool, int64_t start_ns)
{
	if (options.mb_per_second <= 0) {
		for (int64_t index = 0; index < options.records; index++)
			send_record(topic, pool, index, 0);
		return;
	}
	double ns_per_record = (double)options.record_bytes * 1000 / options.mb_per_second;
	int64_t index = 0;
	for (int64_t tick_ns = start_ns; index < options.records; tick_ns += TICK_NS) {
		sleep_until(tick_ns);
		/* What is due in this tick goes out together, and is due at its beginning. */
		int64_t due = (int64_t)((double)(tick_ns + TICK_NS - start_ns) / ns_per_record);
		for (; index < due && index < options.records; index++)
			send_record(topic, pool, index, tick_ns);
	}
}

static void await_deliveries(void)
{
	int64_t seen = -1, progress_ns = now_ns();
	for (;;) {
		int64_t delivered = atomic_load_explicit(&deliveries.delivered, memory_order_acquire);
		if (delivered == options.records)
			return;
		if (delivered != seen) {
			seen = delivered;
			progress_ns = now_ns();
		} else if (now_ns() - progress_ns > STALL_MS_MAX * 1000000LL) {
			fail("%lld of %lld records reported, then nothing for %d ms", (long long)seen, (long long)options.records, STALL_MS_MAX);
		}
		sleep_until(now_ns() + TICK_NS);
	}
}

static int by_value(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return (a > b) - (a < b);
}

static double percentile_ms(double share)
{
	int64_t rank = (int64_t)(share * (double)options.records);
	return deliveries.latency_us[rank < options.records ? rank : options.records - 1] / 1000.0;
}

static void print_rate(int64_t elapsed_ns)
{
	double bytes = (double)options.records * (double)options.record_bytes, seconds = (double)elapsed_ns / NS_PER_S;
	printf("{\"records\": %lld, \"bytes\": %.0f, \"seconds\": %.6f, \"mb_per_second\": %.2f", (long long)options.records, bytes,
	       seconds, bytes / 1e6 / seconds);
}

/* Leaders are known and connected to before the clock starts. */
static void await_metadata(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, REPLY_MS_MAX);
	if (error)
		fail("metadata: %s", rd_kafka_err2str(error));
	if (metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt != options.partitions)
		fail("topic %s does not have %d partitions", options.topic, options.partitions);
	rd_kafka_metadata_destroy(metadata);
	for (int32_t partition = 0; partition < options.partitions; partition++) {
		int64_t first, end;
		error = rd_kafka_query_watermark_offsets(client, options.topic, partition, &first, &end, REPLY_MS_MAX);
		if (error)
			fail("offsets of partition %d: %s", partition, rd_kafka_err2str(error));
	}
}

static void produce(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	char *pool = random_pool();
	if (options.mb_per_second > 0) {
		deliveries.latency_us = calloc((size_t)options.records, sizeof *deliveries.latency_us);
		if (!deliveries.latency_us)
			fail("no memory for %lld latencies", (long long)options.records);
	}
	await_metadata(client, topic);
	pthread_t server;
	if (pthread_create(&server, NULL, serve_deliveries, client))
		fail("no thread for delivery reports");

	int64_t start_ns = now_ns();
	send_all(topic, pool, start_ns);
	await_deliveries();
	atomic_store(&deliveries.done, true);
	pthread_join(server, NULL);
	if (deliveries.refused)
		fail("%lld records refused, the first with %s", (long long)deliveries.refused, rd_kafka_err2name(deliveries.first_error));

	print_rate(deliveries.end_ns - start_ns);
	if (deliveries.latency_us) {
		qsort(deliveries.latency_us, (size_t)options.records, sizeof *deliveries.latency_us, by_value);
		printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"p99_9_ms\": %.3f, \"max_ms\": %.3f", percentile_ms(0.5), percentile_ms(0.99),
		       percentile_ms(0.999), percentile_ms(1));
	}
	puts("}");
	free(deliveries.latency_us);
	free(pool);
}

/* ---- consuming ---- */

struct consumption {
	int64_t records, bytes;
	int64_t next_offset[PARTITIONS_MAX];
};

static void on_record(rd_kafka_message_t *record, void *opaque)
{
	struct consumption *consumption = opaque;
	if (record->err)
		fail("consume: %s", rd_kafka_message_errstr(record));
	if (record->offset != consumption->next_offset[record->partition])
		fail("partition %d: offset %lld where %lld was next", record->partition, (long long)record->offset,
		     (long long)consumption->next_offset[record->partition]);
	consumption->next_offset[record->partition]++;
	consumption->records++;
	consumption->bytes += (int64_t)record->len;
}

static void consume(rd_kafka_t *client, rd_kafka_topic_t *topic)
{
	static struct consumption consumption;
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	await_metadata(client, topic);
	int64_t start_ns = now_ns();
	for (int32_t partition = 0; partition < options.partitions; partition++)
		if (rd_kafka_consume_start_queue(topic, partition, RD_KAFKA_OFFSET_BEGINNING, queue))
			fail("partition %d: %s", partition, rd_kafka_err2str(rd_kafka_last_error()));
	int64_t progress_ns = start_ns;
	while (consumption.records < options.records) {
		if (rd_kafka_consume_callback_queue(queue, 100, on_record, &consumption) > 0)
			progress_ns = now_ns();
		else if (now_ns() - progress_ns > STALL_MS_MAX * 1000000LL)
			fail("%lld of %lld records, then nothing for %d ms", (long long)consumption.records, (long long)options.records,
			     STALL_MS_MAX);
	}
	options.record_bytes = (size_t)(consumption.bytes / consumption.records);
	options.records = consumption.records;
	print_rate(now_ns() - start_ns);
	puts("}");
	for (int32_t partition = 0; partition < options.partitions; partition++)
		rd_kafka_consume_stop(topic, partition);
	rd_kafka_queue_destroy(queue);
}

/* ---- the topic, the command line ---- */

static void create(rd_kafka_t *client)
{
	char reason[ERROR_BYTES_MAX];
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(options.topic, options.partitions, 1, reason, sizeof reason);
	if (!wanted)
		fail("topic: %s", reason);
	for (int index = 0; index < options.config_count; index++) {
		char *value = strdup(options.configs[index]), *key = strsep(&value, "=");
		if (!value || rd_kafka_NewTopic_set_config(wanted, key, value))
			fail("-c wants KEY=VALUE");
		free(key);
	}
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client);
	rd_kafka_CreateTopics(client, &wanted, 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, REPLY_MS_MAX);
	if (!event || rd_kafka_event_error(event))
		fail("create: %s", event ? rd_kafka_event_error_string(event) : "no answer");
	size_t count;
	const rd_kafka_topic_result_t **results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
	if (count != 1 || rd_kafka_topic_result_error(results[0]))
		fail("create: %s", count == 1 ? rd_kafka_topic_result_error_string(results[0]) : "no result");
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy(wanted);
	puts("{}");
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char reason[ERROR_BYTES_MAX];
	if (rd_kafka_conf_set(conf, key, value, reason, sizeof reason))
		fail("%s", reason);
}

static void parse(int count, char **arguments, rd_kafka_conf_t *conf)
{
	for (int option; (option = getopt(count, arguments, "b:t:p:n:s:r:k:c:X:")) != -1;) {
		char *value = optarg;
		switch (option) {
		case 'b': options.bootstrap = value; break;
		case 't': options.topic = value; break;
		case 'p': options.partitions = atoi(value); break;
		case 'n': options.records = atoll(value); break;
		case 's': options.record_bytes = (size_t)atoll(value); break;
		case 'r': options.mb_per_second = atof(value); break;
		case 'k': options.keys = atoll(value); break;
		case 'c':
			if (options.config_count == CONFIGS_MAX)
				fail("at most %d of -c", CONFIGS_MAX);
			options.configs[options.config_count++] = value;
			break;
		case 'X': {
			const char *key = strsep(&value, "=");
			if (!value)
				fail("-X wants KEY=VALUE");
			set(conf, key, value);
			break;
		}
		default: exit(2);
		}
	}
	if (!options.bootstrap || !options.topic)
		fail("-b and -t are needed");
	if (options.partitions < 1 || options.partitions > PARTITIONS_MAX || !options.record_bytes)
		fail("-p wants 1 to %d, -s at least 1", PARTITIONS_MAX);
}

int main(int count, char **arguments)
{
	const char *command = count > 1 ? arguments[1] : "";
	int producing = !strcmp(command, "produce"), consuming = !strcmp(command, "consume");
	if (!producing && !consuming && strcmp(command, "create"))
		fail("create, produce or consume?");
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	parse(count - 1, arguments + 1, conf);
	if ((producing || consuming) && options.records < 1)
		fail("-n wants at least one record");
	set(conf, "bootstrap.servers", options.bootstrap);
	if (producing)
		rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);

	char reason[ERROR_BYTES_MAX];
	rd_kafka_t *client = rd_kafka_new(consuming ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
	if (!client)
		fail("client: %s", reason);
	if (producing || consuming) {
		rd_kafka_topic_t *topic = rd_kafka_topic_new(client, options.topic, NULL);
		(producing ? produce : consume)(client, topic);
		rd_kafka_topic_destroy(topic);
	} else {
		create(client);
	}
	fflush(stdout);
	rd_kafka_destroy(client);
	return 0;
}
