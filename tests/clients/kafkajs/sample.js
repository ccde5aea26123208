'use strict'
// The client suite's contract for kafkajs: the sample records and the produce variants, the same in every language.

const PARTITIONS = 3
const RECORDS_PER_VARIANT = 30
const FIRST_TIMESTAMP_MS = 1_700_000_000_000

/** One record, a pure function of its index. kafkajs cannot send a null header value, so the last header has one. */
function sample(index) {
  let key = index % 4 === 0 ? null : Buffer.from(`key-${index}`)
  if (index % 4 === 3) key = Buffer.concat([key, Buffer.from([0x00, 0xff])])
  const text = `value-${index};`
  // Some clients refuse a record that has neither key nor value.
  const value = [key === null ? text : null, '', text, text.repeat(20), text.repeat(200)][index % 5]
  const headers = [
    {},
    { one: '1' },
    { twice: ['a', 'b'], empty: '', last: 'z' },
  ][Math.floor(index / PARTITIONS) % 3]
  return {
    index,
    partition: index % PARTITIONS,
    offset: Math.floor(index / PARTITIONS),
    timestampMs: FIRST_TIMESTAMP_MS + index,
    key,
    value: value === null ? null : Buffer.from(value),
    headers,
  }
}

/** Every codec with acks=all, then acks 1 and 0, then idempotence with every codec. */
function variants() {
  const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
  const rows = [
    ...codecs.map(codec => ({ codec, acks: -1, idempotent: false })),
    { codec: 'none', acks: 1, idempotent: false },
    { codec: 'none', acks: 0, idempotent: false },
    { codec: 'zstd', acks: 0, idempotent: false },
    ...codecs.map(codec => ({ codec, acks: -1, idempotent: true })),
  ]
  return rows.map((row, position) => ({
    ...row,
    name: `codec=${row.codec} acks=${row.acks === -1 ? 'all' : row.acks} idempotence=${row.idempotent ? 'on' : 'off'}`,
    samples: Array.from({ length: RECORDS_PER_VARIANT }, (_, i) => sample(position * RECORDS_PER_VARIANT + i)),
  }))
}

module.exports = { PARTITIONS, variants }
