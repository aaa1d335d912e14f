// Generate over real gRPC with a fake engine: events, errors, cancellation, many clients.
#include "tests/server/wire.h"
#include "tests/support/eventually.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "grpc/health/v1/health.grpc.pb.h"

using namespace tern;

TEST_CASE("a stream is Accepted, deltas, Finished", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 20);
  request.set_request_id("my-id");
  request.mutable_response()->set_token_ids(true);
  request.mutable_response()->set_prefill_progress(true);
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;

  REQUIRE(reader->Read(&event));
  REQUIRE(event.has_accepted());
  CHECK(event.accepted().request_id() == "my-id");
  CHECK(event.accepted().model() == "fake");
  CHECK(event.accepted().prompt_tokens() == 6);  // <bos> and five bytes
  CHECK(event.accepted().max_tokens() == 20);
  CHECK(event.accepted().effective_sampling().temperature() == 0.5f);
  CHECK(event.accepted().effective_sampling().top_k() == 7);

  REQUIRE(reader->Read(&event));
  REQUIRE(event.has_prefill_progress());
  CHECK(event.prefill_progress().cached_tokens() == 3);

  std::string text;
  int num_tokens = 0, num_ids = 0;
  while (reader->Read(&event) && event.has_delta()) {
    text += event.delta().text();
    num_tokens += event.delta().num_tokens();
    num_ids += event.delta().token_ids_size();
  }
  CHECK(text == FakeEngine::answer(20));
  CHECK(num_tokens == 20);
  CHECK(num_ids == 20);
  REQUIRE(event.has_finished());
  CHECK(event.finished().reason() == v1::FINISH_REASON_LENGTH);
  CHECK(event.finished().usage().prompt_tokens() == 6);
  CHECK(event.finished().usage().completion_tokens() == 20);
  CHECK(event.finished().timings().e2e_us() == 500000);
  CHECK_FALSE(reader->Read(&event));  // nothing after the terminal event
  CHECK(reader->Finish().ok());
  CHECK(context.GetServerTrailingMetadata().find("x-request-id")->second == "my-id");
}

TEST_CASE("the unary call gives what the stream gives", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 50);
  request.mutable_response()->set_token_ids(true);
  std::string streamed;
  REQUIRE(wire.generate(request, &streamed).ok());

  grpc::ClientContext context;
  v1::GenerateResult result;
  REQUIRE(wire.inference->GenerateUnary(&context, request, &result).ok());
  REQUIRE(result.outputs_size() == 1);
  CHECK(result.outputs(0).text() == streamed);
  CHECK(result.outputs(0).token_ids_size() == 50);
  CHECK(result.outputs(0).finished().reason() == v1::FINISH_REASON_LENGTH);
  CHECK(result.accepted().request_id().size() == 36);
  CHECK(result.accepted().request_id()[14] == '7');  // UUIDv7
}

TEST_CASE("response options choose what is sent", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 30);
  grpc::ClientContext context;
  v1::GenerateEvent event;

  SECTION("no text") {
    request.mutable_response()->set_text(false);
    std::string text;
    REQUIRE(wire.generate(request, &text).ok());
    CHECK(text.empty());
  }
  SECTION("a delta has at least stream_interval tokens, but the last") {
    request.mutable_response()->set_stream_interval(8);
    auto reader = wire.inference->Generate(&context, request);
    std::vector<int> sizes;
    while (reader->Read(&event))
      if (event.has_delta()) sizes.push_back(event.delta().num_tokens());
    REQUIRE(reader->Finish().ok());
    REQUIRE(!sizes.empty());
    for (size_t i = 0; i + 1 < sizes.size(); ++i) CHECK(sizes[i] >= 8);
  }
}

TEST_CASE("n answers come side by side, each with its index and its end", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 25);
  request.mutable_sampling()->set_n(3);
  request.mutable_response()->set_token_ids(true);
  request.mutable_response()->set_logprobs(2);
  request.mutable_response()->set_stream_interval(GENERATE(1, 4, 100));
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;
  std::vector<std::string> texts(3);
  std::vector<int> num_ids(3), ended(3);
  std::vector<std::vector<float>> logprobs(3);
  while (reader->Read(&event)) {
    if (event.has_delta()) {
      const v1::Delta& delta = event.delta();
      REQUIRE(delta.index() < 3);
      CHECK(ended[delta.index()] == 0);
      texts[delta.index()] += delta.text();
      num_ids[delta.index()] += delta.token_ids_size();
      CHECK(delta.logprobs_size() == delta.token_ids_size());
      for (const v1::Logprobs& l : delta.logprobs()) {
        logprobs[delta.index()].push_back(l.chosen().logprob());
        CHECK(l.top_size() == 2);
        CHECK(l.top(1).rank() == 2);
        CHECK(l.chosen().token().size() == 1);
      }
    }
    if (event.has_finished()) ++ended[event.finished().index()];
  }
  CHECK(reader->Finish().ok());
  for (int i = 0; i < 3; ++i) {
    CHECK(texts[i] == FakeEngine::answer(25));
    CHECK(num_ids[i] == 25);
    CHECK(ended[i] == 1);
    REQUIRE(logprobs[i].size() == 25);
    for (int k = 0; k < 25; ++k) CHECK(logprobs[i][k] == float(-k));
  }

  grpc::ClientContext unary_context;
  v1::GenerateResult result;
  REQUIRE(wire.inference->GenerateUnary(&unary_context, request, &result).ok());
  REQUIRE(result.outputs_size() == 3);
  for (int i = 0; i < 3; ++i) {
    CHECK(result.outputs(i).index() == uint32_t(i));
    CHECK(result.outputs(i).text() == FakeEngine::answer(25));
    CHECK(result.outputs(i).logprobs_size() == 25);
    CHECK(result.outputs(i).finished().index() == uint32_t(i));
  }
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
}

TEST_CASE("cancelling a call of n answers ends all of them", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 4000);
  request.mutable_sampling()->set_n(4);
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;
  for (int i = 0; i < 5; ++i) REQUIRE(reader->Read(&event));
  context.TryCancel();
  CHECK(reader->Finish().error_code() == grpc::CANCELLED);
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
}

TEST_CASE("prompt logprobs come before the answer, the first without a value", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 5);
  request.mutable_response()->set_prompt_logprobs(1);
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;
  std::vector<v1::Logprobs> prompt;
  bool answered = false;
  while (reader->Read(&event)) {
    answered |= event.has_delta();
    if (!event.has_prompt_logprobs()) continue;
    CHECK_FALSE(answered);
    CHECK(event.prompt_logprobs().first() == prompt.size());
    for (const v1::Logprobs& l : event.prompt_logprobs().logprobs()) prompt.push_back(l);
  }
  REQUIRE(reader->Finish().ok());
  REQUIRE(prompt.size() == 6);
  CHECK_FALSE(prompt[0].chosen().has_logprob());
  CHECK(prompt[0].chosen().token() == "<bos>");
  CHECK(prompt[5].chosen().logprob() == -5);
  CHECK(prompt[5].chosen().token() == "o");
  CHECK(prompt[5].top_size() == 1);

  grpc::ClientContext unary_context;
  v1::GenerateResult result;
  REQUIRE(wire.inference->GenerateUnary(&unary_context, request, &result).ok());
  CHECK(result.prompt_logprobs_size() == 6);
}

TEST_CASE("Score gives a text's log-probabilities and no answer", "[wire]") {
  Wire wire;
  v1::ScoreRequest request;
  request.set_text("ab");
  request.set_top_logprobs(3);
  {
    grpc::ClientContext context;
    v1::ScoreResult result;
    REQUIRE(wire.inference->Score(&context, request, &result).ok());
    CHECK(result.token_ids_size() == 3);
    REQUIRE(result.logprobs_size() == 3);
    CHECK_FALSE(result.logprobs(0).chosen().has_logprob());
    CHECK(result.logprobs(2).chosen().logprob() == -2);
    CHECK(result.logprobs(2).top_size() == 3);
  }
  {
    grpc::ClientContext context;
    v1::ScoreResult result;
    request.set_top_logprobs(50);
    const grpc::Status status = wire.inference->Score(&context, request, &result);
    CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
    CHECK(bad_field_of(status) == "top_logprobs");
  }
  wire.server->start_draining();
  grpc::ClientContext context;
  v1::ScoreResult result;
  CHECK(wire.inference->Score(&context, request, &result).error_code() == grpc::UNAVAILABLE);
}

TEST_CASE("cancelling a stream reaches the engine", "[wire]") {
  Wire wire;
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, text_request("hello", 4000));
  v1::GenerateEvent event;
  for (int i = 0; i < 5; ++i) REQUIRE(reader->Read(&event));
  CHECK(wire.engine.num_live() == 1);
  context.TryCancel();
  CHECK(reader->Finish().error_code() == grpc::CANCELLED);
  CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
  CHECK(wire.engine.num_cancels >= 1);
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
}

TEST_CASE("cancelling a unary call reaches the engine", "[wire]") {
  Wire wire;
  wire.engine.paused = true;
  grpc::ClientContext context;
  std::thread canceller([&] {
    test::eventually([&] { return wire.engine.num_live() == 1; });
    context.TryCancel();
  });
  v1::GenerateResult result;
  const grpc::Status status =
      wire.inference->GenerateUnary(&context, text_request("hello", 100), &result);
  canceller.join();
  CHECK(status.error_code() == grpc::CANCELLED);
  CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
}

TEST_CASE("the client's deadline is the engine's", "[wire]") {
  Wire wire;
  wire.engine.paused = true;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  auto reader = wire.inference->Generate(&context, text_request("hello", 100));
  v1::GenerateEvent event;
  while (reader->Read(&event)) CHECK(event.has_accepted());
  CHECK(reader->Finish().error_code() == grpc::DEADLINE_EXCEEDED);
  CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
  REQUIRE(wire.engine.last_request.deadline.has_value());
}

TEST_CASE("the server's longest request ends one that has no deadline", "[wire]") {
  ServerOptions options = any_port();
  options.limits.max_request_duration = Seconds(0.05);
  Wire wire(options);
  wire.engine.paused = true;
  const grpc::Status status = wire.generate(text_request("hello", 100));
  CHECK(status.error_code() == grpc::DEADLINE_EXCEEDED);
  CHECK(reason(status) == "QUEUE_TIMEOUT");
}

TEST_CASE("a refused request has details and sends nothing before them", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 5);
  request.mutable_sampling()->mutable_random()->set_temperature(3);
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;
  CHECK_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(status.error_message() == "sampling.random.temperature: must be in [0, 2], is 3");
  CHECK(reason(status) == "PARAM_OUT_OF_RANGE");
  CHECK(detail<google::rpc::ErrorInfo>(status).domain() == "tern.dev");
  CHECK(bad_field_of(status) == "sampling.random.temperature");
}

TEST_CASE("the engine's refusals keep their code and say when to come back", "[wire]") {
  Wire wire;
  const auto [code, expected, retry] = GENERATE(table<Code, std::string, bool>({
      {Code::kResourceExhausted, "QUEUE_FULL", true},
      {Code::kOutOfRange, "CONTEXT_EXCEEDED", false},
      {Code::kUnavailable, "DRAINING", true},
      {Code::kInvalidArgument, "PARAM_OUT_OF_RANGE", false},
  }));
  wire.engine.refusal = Status(code, "because");
  grpc::ClientContext context;
  v1::GenerateResult result;
  for (const bool unary : {true, false}) {
    grpc::ClientContext context;
    const grpc::Status status =
        unary ? wire.inference->GenerateUnary(&context, text_request("a", 2), &result)
              : wire.generate(text_request("a", 2));
    CHECK(int(status.error_code()) == int(code));
    CHECK(status.error_message() == "because");
    CHECK(reason(status) == expected);
    CHECK((detail<google::rpc::RetryInfo>(status).retry_delay().seconds() == 1) == retry);
    CHECK(detail<google::rpc::ErrorInfo>(status).metadata().at("model") == "fake");
  }
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
}

TEST_CASE("a live request_id is refused, a finished one is free again", "[wire]") {
  Wire wire;
  v1::GenerateRequest request = text_request("hello", 100);
  request.set_request_id("twice");
  wire.engine.paused = true;
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, request);
  v1::GenerateEvent event;
  REQUIRE(reader->Read(&event));
  const grpc::Status status = wire.generate(request);
  CHECK(status.error_code() == grpc::ALREADY_EXISTS);
  CHECK(reason(status) == "REQUEST_ID_IN_USE");
  wire.engine.paused = false;
  while (reader->Read(&event)) {
  }
  CHECK(reader->Finish().ok());
  CHECK(wire.generate(request).ok());
}

TEST_CASE("LOADING and DRAINING are UNAVAILABLE with a reason, and show in health", "[wire]") {
  Wire wire(any_port(), true, false);
  auto health = grpc::health::v1::Health::NewStub(wire.channel);
  const auto serving = [&](const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    const grpc::Status status = health->Check(&context, request, &response);
    return status.ok() ? int(response.status()) : -int(status.error_code());
  };
  using Response = grpc::health::v1::HealthCheckResponse;

  grpc::ClientContext watch_context;
  auto watch = health->Watch(&watch_context, {});
  Response watched;
  REQUIRE(watch->Read(&watched));
  CHECK(watched.status() == Response::NOT_SERVING);

  wire.server->set_load_progress("reading weights", 0.25);
  CHECK(serving("") == Response::NOT_SERVING);
  grpc::Status status = wire.generate(text_request("hello", 5));
  CHECK(status.error_code() == grpc::UNAVAILABLE);
  CHECK(reason(status) == "LOADING");
  CHECK(status.error_message() == "the model is being loaded: reading weights, 25 %");
  CHECK(detail<google::rpc::RetryInfo>(status).retry_delay().seconds() == 1);

  wire.server->serve(wire.engine);
  REQUIRE(watch->Read(&watched));
  CHECK(watched.status() == Response::SERVING);
  CHECK(serving("") == Response::SERVING);
  CHECK(serving("tern.v1.Inference") == Response::SERVING);
  CHECK(serving("tern.v1.Nonsense") == -grpc::NOT_FOUND);
  CHECK(wire.generate(text_request("hello", 5)).ok());

  wire.engine.paused = true;
  grpc::ClientContext context;
  auto live = wire.inference->Generate(&context, text_request("hello", 5));
  v1::GenerateEvent event;
  REQUIRE(live->Read(&event));
  wire.server->start_draining();
  REQUIRE(watch->Read(&watched));
  CHECK(watched.status() == Response::NOT_SERVING);
  status = wire.generate(text_request("hello", 5));
  CHECK(status.error_code() == grpc::UNAVAILABLE);
  CHECK(reason(status) == "DRAINING");
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 1; }));  // the refused one is gone
  wire.engine.paused = false;                                             // the live one finishes
  while (live->Read(&event)) {
  }
  CHECK(live->Finish().ok());
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
  wire.server->shutdown(Seconds(5));
  CHECK_FALSE(watch->Read(&watched));
}

TEST_CASE("an engine that shuts down ends its streams as UNAVAILABLE", "[wire]") {
  Wire wire;
  wire.engine.paused = true;
  grpc::ClientContext context;
  auto reader = wire.inference->Generate(&context, text_request("hello", 5));
  v1::GenerateEvent event;
  REQUIRE(reader->Read(&event));
  wire.engine.shutdown();
  CHECK_FALSE(reader->Read(&event));
  const grpc::Status status = reader->Finish();
  CHECK(status.error_code() == grpc::UNAVAILABLE);
  CHECK(reason(status) == "DRAINING");
}

TEST_CASE("many clients, a quarter of which cancel", "[wire]") {
  constexpr int kClients = 16, kCalls = 20, kTokens = 60;
  Wire wire;
  std::atomic<int> complete{0}, cancelled{0}, wrong{0};
  const std::string expected = FakeEngine::answer(kTokens);
  const auto client = [&](int index) {
    auto stub = v1::Inference::NewStub(wire.new_channel());
    for (int call = 0; call < kCalls; ++call) {
      grpc::ClientContext context;
      auto reader = stub->Generate(&context, text_request("x", kTokens));
      v1::GenerateEvent event;
      std::string text;
      for (int i = 0; reader->Read(&event); ++i) {
        text += event.delta().text();
        if (i == 5 && index % 4 == 0) context.TryCancel();
      }
      const grpc::Status status = reader->Finish();
      if (status.ok() && text == expected)
        ++complete;
      else if (index % 4 == 0 && status.error_code() == grpc::CANCELLED &&
               expected.starts_with(text))
        ++cancelled;
      else
        ++wrong;
    }
  };
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) clients.emplace_back(client, i);
  for (std::thread& thread : clients) thread.join();
  CHECK(wrong == 0);
  CHECK(complete + cancelled == kClients * kCalls);
  CHECK(complete >= kClients * kCalls * 3 / 4);
  CHECK(wire.engine.stats().max_step_seqs > 1);
  CHECK(test::eventually([&] { return wire.engine.num_live() == 0; }));
  CHECK(test::eventually([&] { return wire.server->num_live_calls() == 0; }));
}

TEST_CASE("a reader that stops pauses its request, one that goes on resumes it",
          "[wire][EC-4][EC-5]") {
  ServerOptions options = any_port();
  options.limits.max_buffered_tokens = 64;
  Wire wire(options);
  // Tokens as large as they get and no growing window, so that gRPC itself buffers little.
  v1::GenerateRequest request = text_request("hello", 4000);
  request.mutable_response()->set_logprobs(20);
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  auto stub = v1::Inference::NewStub(grpc::CreateCustomChannel(
      wire.server->addresses().at(0), grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  auto reader = stub->Generate(&context, request);
  v1::GenerateEvent event;
  REQUIRE(reader->Read(&event));
  CHECK(test::eventually([&] { return wire.engine.num_pauses > 0; }));
  CHECK(wire.engine.num_resumes == 0);
  uint32_t num_tokens = 0;
  while (reader->Read(&event)) num_tokens += event.delta().num_tokens();
  CHECK(reader->Finish().ok());
  CHECK(num_tokens == 4000);  // nothing is lost
  CHECK(wire.engine.num_resumes > 0);
  CHECK(wire.engine.num_pauses - wire.engine.num_resumes <= 1);
}
