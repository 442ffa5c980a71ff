import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.mongodb.MongoClientSettings;
import com.mongodb.ConnectionString;
import com.mongodb.WriteConcern;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.BulkWriteOptions;
import com.mongodb.client.model.InsertOneModel;
import com.mongodb.client.model.ReplaceOneModel;
import com.mongodb.client.model.ReplaceOptions;
import com.mongodb.client.model.WriteModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StateStore;
import org.apache.kafka.streams.processor.StateStoreContext;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.StoreBuilder;
import org.bson.Document;

/**
 * Kafka Streams with a processor that writes to MongoDB by the synchronous driver, in bulks. No aggregates.
 *
 * <p>What is gathered stands in a state store of our own: Streams flushes its stores before it commits offsets, so
 * nothing is committed that is not written. Exactly once ends at Kafka: what MongoDB was given stays after a crash.
 */
public final class Streams {
    public static void main(String[] arguments) {
        var bulk = new Bulk();
        var topology = new Topology()
                .addSource("events", new ByteArrayDeserializer(), new ByteArrayDeserializer(), Shelf.told("TOPIC", ""))
                .addProcessor("shelf", () -> new Writer(bulk), "events")
                .addStateStore(new BulkStores(bulk), "shelf");
        var streams = new KafkaStreams(topology, settings());
        streams.setUncaughtExceptionHandler(trouble -> {
            trouble.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_APPLICATION;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties settings() {
        var settings = new Properties();
        settings.put("bootstrap.servers", Shelf.told("KAFKA", ""));
        settings.put("application.id", Shelf.told("GROUP", ""));
        settings.put("group.instance.id", "1");
        settings.put("state.dir", Shelf.told("STATE", ""));
        settings.put("commit.interval.ms", Shelf.told("COMMIT_MS", "500"));
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", Shelf.BATCH);
        settings.put("max.partition.fetch.bytes", 2 * 1024 * 1024);
        if (Shelf.told("WRITE", "").endsWith("-eos")) {
            settings.put("processing.guarantee", "exactly_once_v2");
        }
        return settings;
    }

    /** Turns each record into a document of the bulk. */
    private record Writer(Bulk bulk) implements Processor<byte[], byte[], Void, Void> {
        private static final ObjectMapper JSON = new ObjectMapper();
        private static final TypeReference<Map<String, Object>> EVENT = new TypeReference<>() {};

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                bulk.add(new Document(Shelf.document(JSON.readValue(record.value(), EVENT))));
            } catch (IOException trouble) {
                throw new UncheckedIOException(trouble);
            }
        }
    }

    /** What is not written yet, of all tasks: one thread runs them. As a state store it is flushed before a commit. */
    private static final class Bulk implements StateStore {
        private static final BulkWriteOptions UNORDERED = new BulkWriteOptions().ordered(false);
        private static final ReplaceOptions UPSERT = new ReplaceOptions().upsert(true);
        private final MongoCollection<Document> documents = MongoClients.create(MongoClientSettings.builder()
                        .applyConnectionString(new ConnectionString(Shelf.told("MONGO", "")))
                        .writeConcern(WriteConcern.MAJORITY.withJournal(true))
                        .build())
                .getDatabase(Shelf.told("DATABASE", ""))
                .getCollection("responses");
        private final List<WriteModel<Document>> waiting = new ArrayList<>(Shelf.BATCH);

        void add(Document document) {
            waiting.add(Shelf.INSERT
                    ? new InsertOneModel<>(document)
                    : new ReplaceOneModel<>(new Document("_id", document.get("_id")), document, UPSERT));
            if (waiting.size() >= Shelf.BATCH) {
                flush();
            }
        }

        @Override
        public void flush() {
            if (!waiting.isEmpty()) {
                documents.bulkWrite(waiting, UNORDERED);
                waiting.clear();
            }
        }

        @Override
        public String name() {
            return "bulk";
        }

        @Override
        public void init(StateStoreContext context, StateStore root) {
            context.register(root, (key, value) -> {});
        }

        @Override
        public void close() {}

        @Override
        public boolean persistent() {
            return false;
        }

        @Override
        public boolean isOpen() {
            return true;
        }
    }

    /** How Streams asks for stores: each task gets the same bulk, which has no changelog. */
    private record BulkStores(Bulk bulk) implements StoreBuilder<Bulk> {
        @Override
        public Bulk build() {
            return bulk;
        }

        @Override
        public String name() {
            return bulk.name();
        }

        @Override
        public boolean loggingEnabled() {
            return false;
        }

        @Override
        public Map<String, String> logConfig() {
            return Map.of();
        }

        @Override
        public StoreBuilder<Bulk> withLoggingDisabled() {
            return this;
        }

        @Override
        public StoreBuilder<Bulk> withLoggingEnabled(Map<String, String> settings) {
            return this;
        }

        @Override
        public StoreBuilder<Bulk> withCachingDisabled() {
            return this;
        }

        @Override
        public StoreBuilder<Bulk> withCachingEnabled() {
            return this;
        }
    }
}
