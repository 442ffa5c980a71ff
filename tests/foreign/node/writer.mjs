// A foreign system in JavaScript: writes CloudEvents to a Kafka topic with the official `cloudevents` package.
//
//   node writer.mjs --kafka HOST:PORT --topic TOPIC [--mode structured|binary] [--compression none|gzip|snappy|lz4|zstd]
//
// One event as JSON per line of standard input; `node writer.mjs --codecs` prints the codecs this Node can write.
// @platformatic/kafka takes zstd from Node itself, which has it from 22.15 on; for older ones the Python writer covers zstd.
// The `cloudevents` package makes the extension attribute `partitionkey` the record's key.
import { parseArgs } from 'node:util'
import { createInterface } from 'node:readline/promises'
import { Producer, ProduceAcks, compressionsAlgorithms } from '@platformatic/kafka'
import { CloudEvent, Kafka } from 'cloudevents'

const { values: asked } = parseArgs({
  options: {
    kafka: { type: 'string' },
    topic: { type: 'string' },
    mode: { type: 'string', default: 'structured' },
    compression: { type: 'string', default: 'none' },
    codecs: { type: 'boolean', default: false }
  }
})

if (asked.codecs) {
  console.log(Object.keys(compressionsAlgorithms).filter(name => compressionsAlgorithms[name].available).join(' '))
  process.exit(0)
}

function record (event) {
  const message = asked.mode === 'binary' ? Kafka.binary(event) : Kafka.structured(event)
  const value = typeof message.value === 'string' ? message.value : JSON.stringify(message.value)
  // The package names absent attributes too, without a value.
  const given = Object.entries(message.headers).filter(([, text]) => text !== undefined)
  const headers = new Map(given.map(([name, text]) => [Buffer.from(name), Buffer.from(String(text))]))
  return { topic: asked.topic, key: message.key ? Buffer.from(message.key) : undefined, value: Buffer.from(value), headers }
}

const messages = []
for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim()) messages.push(record(new CloudEvent(JSON.parse(line))))
}
const producer = new Producer({ clientId: 'foreign-node', bootstrapBrokers: [asked.kafka] })
try {
  await producer.send({ messages, compression: asked.compression, acks: ProduceAcks.ALL })
} finally {
  await producer.close()
}
