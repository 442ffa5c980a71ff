import java.util.Map;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Transformation;

/** A single message transform for Kafka Connect, whose stock ones cannot build the document. */
public final class ToShelf implements Transformation<SinkRecord> {
    @Override
    @SuppressWarnings("unchecked")
    public SinkRecord apply(SinkRecord record) {
        var document = Shelf.document((Map<String, Object>) record.value());
        return record.newRecord(
                record.topic(), record.kafkaPartition(), null, null, null, document, record.timestamp());
    }

    @Override
    public ConfigDef config() {
        return new ConfigDef();
    }

    @Override
    public void configure(Map<String, ?> settings) {}

    @Override
    public void close() {}
}
