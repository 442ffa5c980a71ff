import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * A foreign system in Java: writes CloudEvents with kafka-clients, one event as JSON per line of standard input.
 *
 * <p>java -cp JARS Writer.java KAFKA TOPIC structured|binary none|gzip|snappy|lz4|zstd
 */
public class Writer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", arguments[0]);
        settings.put("compression.type", arguments[3]);
        settings.put("linger.ms", "20");
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        var lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                ObjectNode event = ((ObjectNode) JSON.readTree(line)).put("specversion", "1.0");
                sent.add(producer.send(record(arguments[1], event, arguments[2].equals("binary"))));
            }
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
    }

    private static ProducerRecord<byte[], byte[]> record(String topic, ObjectNode event, boolean binary)
            throws Exception {
        byte[] key = event.has("partitionkey") ? bytes(event.get("partitionkey").asText()) : null;
        if (!binary) {
            var record = new ProducerRecord<>(topic, key, JSON.writeValueAsBytes(event));
            record.headers().add("content-type", bytes("application/cloudevents+json; charset=UTF-8"));
            return record;
        }
        var record = new ProducerRecord<>(topic, key, JSON.writeValueAsBytes(event.remove("data")));
        record.headers().add("content-type", bytes(event.remove("datacontenttype").asText()));
        for (Map.Entry<String, com.fasterxml.jackson.databind.JsonNode> attribute : event.properties()) {
            record.headers().add("ce_" + attribute.getKey(), bytes(attribute.getValue().asText()));
        }
        return record;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
