// A story told through the generated Go client: <address> <key>.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"

	"memio"
)

func check(holds bool, what string) {
	if !holds {
		panic("it does not hold that " + what)
	}
}

func done(response *http.Response, err error) {
	if err != nil {
		panic(err)
	}
	check(response.StatusCode < 300, "it succeeded")
}

func codeOf(err error) memio.ErrorCode {
	var failure *memio.GenericOpenAPIError
	if !errors.As(err, &failure) {
		panic(fmt.Sprintf("not an answer of the server: %v", err))
	}
	return failure.Model().(memio.ErrorResponse).Error
}

func facts(ctx context.Context, client *memio.APIClient) {
	create := memio.NewFactCreate("prefers dark mode")
	create.SetUserId("alice")
	create.SetMetadata(map[string]interface{}{"n": []interface{}{1.0, nil}})
	fact, response, err := client.FactsAPI.CreateFact(ctx).FactCreate(*create).Execute()
	done(response, err)
	check(response.StatusCode == 201, "it was created")
	check(fact.GetUserId() == "alice", "it is about alice")
	check(fact.AgentId.Get() == nil, "it belongs to no agent")
	check(reflect.DeepEqual(fact.Metadata, create.Metadata), "metadata came back")

	same, response, err := client.FactsAPI.GetFact(ctx, fact.Id).Execute()
	done(response, err)
	check(reflect.DeepEqual(same, fact), "it is read back")

	search := memio.NewFactSearch("dark")
	search.SetMode(memio.MODE_KEYWORD)
	search.SetFilters(map[string]interface{}{"n": map[string]bool{"$exists": true}})
	found, response, err := client.FactsAPI.SearchFacts(ctx).FactSearch(*search).Execute()
	done(response, err)
	check(len(found) == 1 && found[0].Id == fact.Id, "it is found")
	check(found[0].GetScore() > 0, "it has a score")

	update := memio.NewFactUpdate("prefers light mode")
	changed, response, err := client.FactsAPI.UpdateFact(ctx, fact.Id).FactUpdate(*update).Execute()
	done(response, err)
	check(reflect.DeepEqual(changed.Metadata, fact.Metadata), "metadata is kept")

	counted, response, err := client.FactsAPI.DeleteFacts(ctx).UserId("alice").DryRun(true).Execute()
	done(response, err)
	check(counted.WouldDelete == 1, "one would be deleted")
	done(client.FactsAPI.DeleteFact(ctx, fact.Id).Execute())
}

func history(ctx context.Context, client *memio.APIClient) {
	said := memio.NewMessagesAdd([]memio.MessageCreate{*memio.NewMessageCreate("user", "to the castle?")})
	add := client.HistoryAPI.AddMessages(ctx, "trip/1").MessagesAdd(*said)
	stored, response, err := add.Prefer("return=representation").Execute()
	done(response, err)
	check(len(stored) == 1, "what was stored is told")
	_, response, err = add.Execute()
	done(response, err)
	check(response.StatusCode == 204, "nothing is told unless asked")
	messages, response, err := client.HistoryAPI.ListMessages(ctx, "trip/1").Execute()
	done(response, err)
	check(len(messages) == 2 && messages[0].Role == "user", "both messages are there")
}

func documents(ctx context.Context, client *memio.APIClient) {
	create := memio.NewDocumentCreate("Items can be returned.")
	create.SetDocId("returns")
	create.SetMetadata(map[string]interface{}{"year": 2026})
	_, response, err := client.DocumentsAPI.CreateDocument(ctx).DocumentCreate(*create).Execute()
	done(response, err)
	listed, response, err := client.DocumentsAPI.ListDocuments(ctx).Filters(`{"year": {"$gte": 2026}}`).Execute()
	done(response, err)
	check(len(listed) == 1 && listed[0].Id == "returns", "the filter selects it")
}

func graph(ctx context.Context, client *memio.APIClient) {
	add := memio.NewTriplesAdd([]memio.TripleCreate{*memio.NewTripleCreate("Alice", "works at", "Acme/Ltd")})
	_, response, err := client.GraphAPI.AddTriples(ctx).TriplesAdd(*add).Execute()
	done(response, err)
	entity, response, err := client.GraphAPI.GetEntity(ctx, "Acme/Ltd").Execute()
	done(response, err)
	check(reflect.DeepEqual(entity.Nodes, []string{"Alice", "Acme/Ltd"}), "both are nodes")
	done(client.GraphAPI.DeleteTriple(ctx, *entity.Triples[0].Id.Get()).Execute())
}

func failures(ctx context.Context, client *memio.APIClient) {
	_, response, err := client.FactsAPI.GetFact(ctx, "nowhere").Execute()
	check(response.StatusCode == 404, "it is not there")
	check(codeOf(err) == memio.ERRORCODE_NOT_FOUND, "a missing fact is not_found")
	again := memio.NewDocumentCreate("again")
	again.SetDocId("returns")
	_, _, err = client.DocumentsAPI.CreateDocument(ctx).DocumentCreate(*again).Execute()
	check(codeOf(err) == memio.ERRORCODE_CONFLICT, "a taken id is a conflict")
	_, _, err = client.FactsAPI.CreateFact(ctx).FactCreate(*memio.NewFactCreate("")).Execute()
	check(codeOf(err) == memio.ERRORCODE_VALIDATION_ERROR, "an empty fact is refused")
	_, _, err = client.FactsAPI.ListFacts(context.Background()).Execute()
	check(codeOf(err) == memio.ERRORCODE_UNAUTHORIZED, "a key is needed")
}

func main() {
	configuration := memio.NewConfiguration()
	configuration.Servers = memio.ServerConfigurations{{URL: os.Args[1]}}
	client := memio.NewAPIClient(configuration)
	ctx := context.WithValue(context.Background(), memio.ContextAccessToken, os.Args[2])
	health, response, err := client.MetaAPI.GetHealth(ctx).Execute()
	done(response, err)
	check(health.Stores.Graph, "the graph is served")
	facts(ctx, client)
	history(ctx, client)
	documents(ctx, client)
	graph(ctx, client)
	failures(ctx, client)
	fmt.Println("told")
}
