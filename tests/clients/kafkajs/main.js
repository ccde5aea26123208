'use strict'
// kafkajs: the whole contract by assignment. Its consumer exists only inside a group, so records are read with the Fetch
// and ListOffsets requests of its own cluster and broker classes, which is what its consumer does underneath.

const assert = require('node:assert/strict')
const { parseArgs } = require('node:util')
const { CompressionTypes, Kafka, ConfigResourceTypes, logLevel } = require('kafkajs')
const Cluster = require('kafkajs/src/cluster')
const createSocket = require('kafkajs/src/network/socketFactory')
const { createLogger } = require('kafkajs/src/loggers')
const codecs = require('./codecs')
const { PARTITIONS, variants } = require('./sample')

const OVERSIZED_BYTES = 2 << 20
const WAIT_MS_MAX = 20_000
// The samples' timestamps lie years back: with the default retention the broker would soon delete them.
const KEEP_FOR_EVER = [{ name: 'retention.ms', value: '-1' }]
const EARLIEST = -2
const LATEST = -1

const { values: options } = parseArgs({
  options: { bootstrap: { type: 'string' }, prefix: { type: 'string' }, nodes: { type: 'string', default: '1' } },
})
const data = `${options.prefix}-data`
const connection = {
  brokers: [options.bootstrap],
  clientId: 'suite',
  connectionTimeout: 5000,
  requestTimeout: WAIT_MS_MAX,
  enforceRequestTimeout: true,
  retry: { retries: 8, initialRetryTime: 50 },
}
const kafka = new Kafka({ ...connection, logLevel: logLevel.NOTHING })
const wanted = variants()
let failed = false

async function check(name, act) {
  try {
    await act()
    console.log(`ok ${name}`)
  } catch (error) {
    failed = true
    console.log(`FAIL ${name}: ${String(error.message).replaceAll('\n', ' ').slice(0, 500)}`)
    console.error(error)
  }
}

/** Kafka's name of an error, wherever kafkajs has put it. */
function typeOf(error) {
  return error.type ?? error.cause?.type ?? error.errors?.[0]?.type
}

function refused(name, type, act) {
  return check(name, async () => {
    try {
      await act()
    } catch (error) {
      assert.equal(typeOf(error), type, `refused with ${error.message}, wanted ${type}`)
      return
    }
    assert.fail(`accepted, wanted ${type}`)
  })
}

/** Polls the broker for what has no reply of its own (acks=0, deletion). */
async function until(what, condition) {
  const deadline = Date.now() + WAIT_MS_MAX
  while (!(await condition())) {
    assert(Date.now() < deadline, `${what}: not seen within ${WAIT_MS_MAX} ms`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

async function newCluster() {
  const cluster = new Cluster({
    ...connection,
    logger: createLogger({ level: logLevel.NOTHING, logCreator: () => () => {} }),
    socketFactory: createSocket(),
    allowAutoTopicCreation: false,
    metadataMaxAge: 300_000,
    isolationLevel: 0,
    offsets: new Map(),
  })
  await cluster.connect()
  return cluster
}

/** Reads by assignment: the leader's Fetch responses from an offset on, without what lies before it in the first batch. */
async function read(cluster, partition, offset, count) {
  const broker = await leaderOf(cluster, partition)
  const records = []
  while (records.length < count) {
    const fetchOffset = String(offset + records.length)
    const { responses } = await broker.fetch({
      maxWaitTime: 1000,
      isolationLevel: 0,
      topics: [{ topic: data, partitions: [{ partition, fetchOffset, currentLeaderEpoch: -1, maxBytes: 1 << 20 }] }],
    })
    const messages = responses[0].partitions[0].messages.filter(message => Number(message.offset) >= offset + records.length)
    assert(messages.length > 0, `${records.length} of ${count} records, then an empty response`)
    records.push(...messages)
  }
  return records
}

async function leaderOf(cluster, partition) {
  await cluster.addTargetTopic(data)
  const { leader } = cluster.findTopicPartitionMetadata(data).find(row => row.partitionId === partition)
  return cluster.findBroker({ nodeId: leader })
}

async function offsetAt(cluster, partition, timestamp) {
  const broker = await leaderOf(cluster, partition)
  const topics = [{ topic: data, partitions: [{ partition, timestamp }] }]
  const { responses } = await broker.listOffsets({ isolationLevel: 0, topics })
  return Number(responses[0].partitions[0].offset)
}

function compare(samples, records) {
  assert.equal(records.length, samples.length, 'the number of records')
  samples.forEach((sample, i) => {
    const { offset, timestamp, key, value, headers } = records[i]
    const { offset: at, timestampMs, key: wantedKey, value: wantedValue } = sample
    assert.deepEqual({ offset, timestamp, key, value }, { offset: String(at), timestamp: String(timestampMs), key: wantedKey, value: wantedValue })
    const text = Object.fromEntries(Object.entries(headers).map(([k, v]) => [k, Array.isArray(v) ? v.map(String) : String(v)]))
    assert.deepEqual(text, sample.headers)
  })
}

const expected = partition => wanted.flatMap(variant => variant.samples).filter(sample => sample.partition === partition)
const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)

async function send(config, request) {
  const producer = kafka.producer({ retry: { retries: 5, initialRetryTime: 50 }, createPartitioner: () => ({ message }) => message.partition ?? 0, ...config })
  await producer.connect()
  try {
    return await producer.send(request)
  } finally {
    await producer.disconnect()
  }
}

async function produce(cluster, variant) {
  const compression = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 }[variant.codec]
  assert(Object.values(CompressionTypes).includes(compression))
  const messages = variant.samples.map(({ key, value, headers, partition, timestampMs }) => ({
    key, value, headers, partition, timestamp: String(timestampMs),
  }))
  await send({ idempotent: variant.idempotent }, { topic: data, acks: variant.acks, compression, messages })
  if (variant.acks !== 0) return
  for (const partition of partitions) {
    const end = variant.samples.at(partition - PARTITIONS).offset + 1
    await until(`end offset ${end}`, async () => (await offsetAt(cluster, partition, LATEST)) >= end)
  }
}

function create(admin, topic, numPartitions = PARTITIONS, replicationFactor = 1) {
  return admin.createTopics({ topics: [{ topic, numPartitions, replicationFactor, configEntries: KEEP_FOR_EVER }] })
}

async function checkTopics(admin) {
  await check('metadata lists every node', async () => {
    const { brokers } = await admin.describeCluster()
    assert.equal(brokers.length, Number(options.nodes))
  })
  await check('create a topic', async () => assert.equal(await create(admin, data), true))
  // kafkajs turns this one error into `false`.
  await check('create: an existing topic is TOPIC_ALREADY_EXISTS', async () => assert.equal(await create(admin, data), false))
  await refused('create: a bad name is INVALID_TOPIC_EXCEPTION', 'INVALID_TOPIC_EXCEPTION', () => create(admin, `${options.prefix} bad`))
  await refused('create: no partitions is INVALID_PARTITIONS', 'INVALID_PARTITIONS', () => create(admin, `${options.prefix}-none`, 0))
  await refused('create: too many replicas is INVALID_REPLICATION_FACTOR', 'INVALID_REPLICATION_FACTOR', () =>
    create(admin, `${options.prefix}-replicas`, PARTITIONS, 9))
  await check("describe the topic's configuration", async () => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: data, configNames: ['max.message.bytes'] }]
    const described = await admin.describeConfigs({ resources, includeSynonyms: false })
    assert.equal(described.resources[0].configEntries[0].configValue, '1048588')
  })
}

async function checkReads(cluster) {
  await check('read from the beginning', async () => {
    for (const partition of partitions) compare(expected(partition), await read(cluster, partition, 0, expected(partition).length))
  })
  await check('read from an offset', async () => {
    for (const partition of partitions) {
      const samples = expected(partition).slice(37)
      compare(samples, await read(cluster, partition, 37, samples.length))
    }
  })
  await check('read from a timestamp', async () => {
    for (const partition of partitions) {
      const samples = expected(partition).slice(53)
      const offset = await offsetAt(cluster, partition, samples[0].timestampMs)
      assert.equal(offset, samples[0].offset)
      compare(samples, await read(cluster, partition, offset, samples.length))
    }
  })
  await check('list earliest and latest offsets', async () => {
    for (const partition of partitions) {
      assert.equal(await offsetAt(cluster, partition, EARLIEST), 0)
      assert.equal(await offsetAt(cluster, partition, LATEST), expected(partition).length)
    }
  })
  await refused('fetch: an offset beyond the end is OFFSET_OUT_OF_RANGE', 'OFFSET_OUT_OF_RANGE', () => read(cluster, 0, 1_000_000, 1))
}

async function checkErrors(admin) {
  const auto = `${options.prefix}-auto`
  await refused('metadata: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_OR_PARTITION', () =>
    admin.fetchTopicMetadata({ topics: [`${options.prefix}-unknown`] }))
  await refused('produce: an oversized record is MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE', () =>
    send({}, { topic: data, messages: [{ value: Buffer.alloc(OVERSIZED_BYTES) }] }))
  await refused('produce: acks=2 is INVALID_REQUIRED_ACKS', 'INVALID_REQUIRED_ACKS', () =>
    send({}, { topic: data, acks: 2, messages: [{ value: 'x' }] }))
  await check('produce: an unknown topic is created', () => send({ allowAutoTopicCreation: true }, { topic: auto, messages: [{ value: 'x' }] }))
  await check('delete a topic', async () => {
    await admin.deleteTopics({ topics: [auto] })
    await until('deletion', async () => !(await admin.listTopics()).includes(auto))
  })
  await refused('delete: an unknown topic is UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_OR_PARTITION', () =>
    admin.deleteTopics({ topics: [`${options.prefix}-missing`] }))
}

async function main() {
  await codecs.install()
  const admin = kafka.admin()
  await admin.connect()
  await checkTopics(admin)
  const cluster = await newCluster()
  for (const variant of wanted) await check(`produce ${variant.name}`, () => produce(cluster, variant))
  await checkReads(cluster)
  await cluster.disconnect()
  await checkErrors(admin)
  await admin.disconnect()
}

main().then(
  () => process.exit(failed ? 1 : 0),
  error => {
    console.log(`FAIL the program: ${error.message}`)
    console.error(error)
    process.exit(1)
  },
)
