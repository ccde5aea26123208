'use strict'
// A member of a group, with kafkajs. What it prints is described in `members.py`.

const { parseArgs } = require('node:util')
const { Kafka, logLevel } = require('kafkajs')

const text = { type: 'string', default: '' }
const { values: options } = parseArgs({
  options: {
    bootstrap: text, topic: text, group: text, protocol: text, instance: text,
    'session-ms': { type: 'string', default: '6000' }, 'heartbeat-ms': { type: 'string', default: '500' },
  },
})
const kafka = new Kafka({
  brokers: [options.bootstrap],
  clientId: 'member',
  logLevel: logLevel.NOTHING,
  retry: { retries: 1000, initialRetryTime: 100, maxRetryTime: 500 },
})
const consumer = kafka.consumer({
  groupId: options.group,
  sessionTimeout: Number(options['session-ms']),
  heartbeatInterval: Number(options['heartbeat-ms']),
  rebalanceTimeout: 10_000,
  maxWaitTimeInMs: 200,
})

function own(partitions) {
  console.log(`own ${[...partitions].sort((a, b) => a - b).join(',')}`)
}

consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  // Its protocol is eager, so that all begins anew; it tells nobody when the coordinator had given it up before.
  own([])
  own(payload.memberAssignment[options.topic] ?? [])
})
consumer.on(consumer.events.REBALANCING, () => own([]))

async function main() {
  console.log('up')
  await consumer.connect()
  await consumer.subscribe({ topics: [options.topic], fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, isStale, isRunning, heartbeat, resolveOffset }) => {
      if (isStale() || !isRunning()) return
      const records = batch.messages.map((message) => `${batch.partition}:${message.offset}`)
      console.log(`got ${records.join(' ')}`)
      resolveOffset(batch.lastOffset())
      const offset = String(BigInt(batch.lastOffset()) + 1n)
      try {
        await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset }])
        console.log(`done ${batch.partition}:${batch.lastOffset()}`)
      } catch (error) {
        console.error(`refused ${error.message}`)
      }
      await heartbeat()
    },
  })
}

process.on('SIGTERM', async () => {
  await consumer.disconnect()
  console.log('end')
  process.exit(0)
})
main()
