import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The document that one event becomes, as shelf.py makes it, and the surroundings as they are told there. */
final class Shelf {
    static final int BATCH = Integer.parseInt(told("BATCH", "2000"));
    static final boolean INSERT = told("WRITE", "").startsWith("insert");
    private static final boolean NATURAL_ID = !told("IDS", "").equals("database");

    private Shelf() {}

    static String told(String name, String otherwise) {
        return System.getenv().getOrDefault("BENCH_" + name, otherwise);
    }

    /** The fact about one response. */
    @SuppressWarnings("unchecked")
    static Map<String, Object> document(Map<String, Object> event) {
        var said = (Map<String, Object>) event.get("data");
        var dims = new LinkedHashMap<>((Map<String, Object>) said.get("dims"));
        dims.put("mode", said.get("mode"));
        dims.put("campaign", said.get("campaignId"));
        List<Map<String, Object>> answers = new ArrayList<>();
        for (var answer : (List<Map<String, Object>>) said.get("answers")) {
            var scale = (List<Object>) answer.get("scale");
            var kept = new LinkedHashMap<String, Object>();
            kept.put("question", answer.get("question"));
            kept.put("factor", answer.get("factor"));
            kept.put("rating", answer.get("metric") + ":" + scale.get(0) + "~" + scale.get(1) + ":" + answer.get("value"));
            answers.add(kept);
        }
        var fact = new LinkedHashMap<String, Object>();
        fact.put("day", ((String) event.get("time")).substring(0, 10));
        fact.put("customer", said.get("customerId"));
        fact.put("dims", dims);
        fact.put("answers", answers);
        fact.put("scoring", said.get("scoring"));
        fact.put("index", said.get("index"));
        fact.put("late", said.get("late"));
        var recorded = ((String) event.get("recordedtime")).substring(0, 10);
        var document = new LinkedHashMap<String, Object>();
        document.put(NATURAL_ID ? "_id" : "subject", event.get("subject"));
        document.put("revision", event.get("revision"));
        document.put("event", event.get("id"));
        document.put("day", recorded);
        document.put("born", recorded);
        document.put("fact", fact);
        document.put("parked", List.of());
        document.put("first", List.of(event.get("revision"), event.get("id"), event.get("type")));
        return document;
    }
}
