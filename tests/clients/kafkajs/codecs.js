'use strict'
// kafkajs brings gzip alone and leaves the other codecs to plugins: these are ours, over the packages that package.json names.

const { CompressionCodecs, CompressionTypes } = require('kafkajs')
const lz4 = require('lz4-napi')
const snappy = require('snappyjs')
const { ZstdCodec } = require('zstd-codec')

// xerial's framing, which Kafka's clients put around snappy blocks: magic, version, lowest compatible version.
const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const ZSTD_LEVEL = 3

function snappyCompress(raw) {
  const block = Buffer.from(snappy.compress(raw))
  const length = Buffer.alloc(4)
  length.writeInt32BE(block.length)
  return Buffer.concat([XERIAL_HEADER, length, block])
}

function snappyDecompress(framed) {
  if (!framed.subarray(0, 8).equals(XERIAL_HEADER.subarray(0, 8))) return Buffer.from(snappy.uncompress(framed))
  const blocks = []
  for (let at = XERIAL_HEADER.length; at < framed.length; ) {
    const length = framed.readInt32BE(at)
    blocks.push(Buffer.from(snappy.uncompress(framed.subarray(at + 4, at + 4 + length))))
    at += 4 + length
  }
  return Buffer.concat(blocks)
}

async function install() {
  const zstd = await new Promise(resolve => ZstdCodec.run(loaded => resolve(new loaded.Simple())))
  CompressionCodecs[CompressionTypes.Snappy] = () => ({
    compress: async encoder => snappyCompress(encoder.buffer),
    decompress: async buffer => snappyDecompress(buffer),
  })
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async encoder => lz4.compressFrame(encoder.buffer),
    decompress: async buffer => lz4.decompressFrame(buffer),
  })
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async encoder => Buffer.from(zstd.compress(encoder.buffer, ZSTD_LEVEL)),
    decompress: async buffer => Buffer.from(zstd.decompress(buffer)),
  })
}

module.exports = { install }
