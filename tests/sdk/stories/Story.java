// A story told through the generated Java client: <address> <key>.
import java.util.List;
import java.util.Map;
import memio.client.ApiClient;
import memio.client.ApiException;
import memio.client.api.DocumentsApi;
import memio.client.api.FactsApi;
import memio.client.api.GraphApi;
import memio.client.api.HistoryApi;
import memio.client.api.MetaApi;
import memio.client.model.*;

public class Story {
  interface Call {
    void run() throws ApiException;
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError("it does not hold that " + what);
  }

  static ErrorCode codeOf(int status, Call call) throws Exception {
    try {
      call.run();
    } catch (ApiException error) {
      check(error.getCode() == status, "the status is " + status);
      return ApiClient.createDefaultObjectMapper()
          .readValue(error.getResponseBody(), ErrorResponse.class)
          .getError();
    }
    throw new AssertionError("it succeeded");
  }

  static ApiClient client(String address, String key) {
    ApiClient client = new ApiClient();
    client.updateBaseUri(address);
    client.setRequestInterceptor(r -> r.header("Authorization", "Bearer " + key));
    return client;
  }

  static void facts(ApiClient client) throws ApiException {
    FactsApi facts = new FactsApi(client);
    Map<String, Object> metadata = Map.of("source", "settings");
    Fact fact = facts.createFact(
        new FactCreate().content("prefers dark mode").userId("alice").metadata(metadata));
    check(fact.getMetadata().equals(metadata), "metadata came back");
    check(facts.getFact(fact.getId()).equals(fact), "it is read back");
    List<Fact> found = facts.searchFacts(
        new FactSearch().query("dark").mode(Mode.KEYWORD).filters(Map.of("source", "settings")));
    check(found.size() == 1 && found.get(0).getScore() > 0, "it is found");
    Fact changed = facts.updateFact(fact.getId(), new FactUpdate().content("prefers light"));
    check(changed.getMetadata().equals(metadata), "metadata is kept");
    check(facts.listFacts("alice", null, 10, null, null).size() == 1, "it is listed");
    check(facts.deleteFacts("alice", null, null, true).getWouldDelete() == 1, "one would go");
    facts.deleteFact(fact.getId());
    facts.deleteFacts("alice", null, null, false);
  }

  static void history(ApiClient client) throws ApiException {
    HistoryApi history = new HistoryApi(client);
    MessagesAdd said = new MessagesAdd()
        .addMessagesItem(new MessageCreate().role("user").content("to the castle?"));
    check(history.addMessages("trip/1", said, "return=representation").size() == 1, "it is told");
    history.addMessages("trip/1", said, null);
    check(history.listMessages("trip/1", null, null, null).size() == 2, "both are there");
  }

  static void documents(ApiClient client) throws ApiException {
    DocumentsApi documents = new DocumentsApi(client);
    documents.createDocument(new DocumentCreate()
        .content("Items can be returned.").docId("returns").metadata(Map.of("year", 2026)));
    List<Document> listed = documents.listDocuments(null, null, "{\"year\": {\"$gte\": 2026}}");
    check(listed.get(0).getId().equals("returns"), "the filter selects it");
  }

  static void graph(ApiClient client) throws ApiException {
    GraphApi graph = new GraphApi(client);
    graph.addTriples(new TriplesAdd().addTriplesItem(
        new TripleCreate().subject("Alice").predicate("works at")._object("Acme/Ltd")), null);
    GraphResult entity = graph.getEntity("Acme/Ltd", null, null, null);
    check(entity.getNodes().equals(List.of("Alice", "Acme/Ltd")), "both are nodes");
    graph.deleteTriple(entity.getTriples().get(0).getId(), null);
  }

  public static void main(String[] arguments) throws Exception {
    ApiClient client = client(arguments[0], arguments[1]);
    check(new MetaApi(client).getHealth().getStores().getGraph(), "the graph is served");
    facts(client);
    history(client);
    documents(client);
    graph(client);
    FactsApi facts = new FactsApi(client);
    DocumentCreate again = new DocumentCreate().content("again").docId("returns");
    FactsApi strange = new FactsApi(client(arguments[0], "wrong"));
    check(codeOf(404, () -> facts.getFact("nowhere")) == ErrorCode.NOT_FOUND, "404");
    check(codeOf(409, () -> new DocumentsApi(client).createDocument(again)) == ErrorCode.CONFLICT, "409");
    check(codeOf(422, () -> facts.createFact(new FactCreate().content(""))) == ErrorCode.VALIDATION_ERROR, "422");
    check(codeOf(401, () -> strange.listFacts(null, null, null, null, null)) == ErrorCode.UNAUTHORIZED, "401");
    System.out.println("told");
  }
}
