// Control and Admin over gRPC, in front of a fake engine.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "tern/v1/admin.grpc.pb.h"
#include "tern/v1/tune.grpc.pb.h"
#include "tests/server/wire.h"

using namespace tern;

namespace {

struct AdminWire {
  AdminWire() {
    char name[] = "/tmp/tern-admin-XXXXXX";
    dir = mkdtemp(name);
    ServerOptions options = any_port();
    options.admin_listen = "unix:" + dir + "/admin.sock";
    wire.emplace(options, true, true,
                 AdminHandlers{.drain =
                                   [this](std::optional<Seconds> timeout) {
                                     drain_timeout = timeout;
                                     ++num_drains;
                                     if (gives_notice)
                                       wire->server->announce_draining();
                                     else
                                       wire->server->start_draining();
                                   },
                               .reload = [this] { return reloaded; }});
    channel = grpc::CreateChannel(wire->server->admin_addresses().at(0),
                                  grpc::InsecureChannelCredentials());
    admin = v1::Admin::NewStub(channel);
  }
  ~AdminWire() {
    wire.reset();
    std::filesystem::remove_all(dir);
  }

  std::string dir;
  Result<std::vector<ConfigChange>> reloaded{std::vector<ConfigChange>()};
  std::optional<Seconds> drain_timeout;
  int num_drains = 0;
  bool gives_notice = false;  // a drain begins with it, and requests are still taken
  std::optional<Wire> wire;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Admin::Stub> admin;
};

}  // namespace

TEST_CASE("Abort ends requests by id and tells what became of each", "[wire][control]") {
  Wire wire;
  wire.engine.paused = true;
  grpc::ClientContext stream_context;
  v1::GenerateRequest request = text_request("hello", 5);
  request.set_request_id("mine");
  auto reader = wire.inference->Generate(&stream_context, request);
  v1::GenerateEvent event;
  REQUIRE(reader->Read(&event));

  v1::AbortRequest abort;
  abort.add_request_ids("mine");
  abort.add_request_ids("nobody's");
  v1::AbortResult result;
  grpc::ClientContext context;
  REQUIRE(wire.control->Abort(&context, abort, &result).ok());
  CHECK(result.outcomes().at("mine") == v1::ABORT_OUTCOME_ABORTED);
  CHECK(result.outcomes().at("nobody's") == v1::ABORT_OUTCOME_UNKNOWN);
  CHECK(!reader->Read(&event));
  CHECK(reader->Finish().error_code() == grpc::CANCELLED);

  for (int i = 0; i < 5000; ++i) abort.add_request_ids("x");
  grpc::ClientContext again;
  const grpc::Status too_many = wire.control->Abort(&again, abort, &result);
  CHECK(too_many.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(bad_field_of(too_many) == "request_ids");
}

TEST_CASE("GetLoad gives the sections that are asked for", "[wire][control]") {
  Wire wire;
  const auto load = [&](std::vector<int> sections) {
    v1::GetLoadRequest request;
    for (const int s : sections) request.add_sections(static_cast<v1::LoadSection>(s));
    v1::Load out;
    grpc::ClientContext context;
    const grpc::Status status = wire.control->GetLoad(&context, request, &out);
    if (!status.ok()) {
      CHECK(bad_field_of(status) == "sections[0]");
      out.set_tokens_per_second(-1);
    }
    return out;
  };
  CHECK(load({}).stats().kv_cache().num_blocks() == 100);
  CHECK(load({v1::LOAD_SECTION_KV_CACHE}).stats().kv_cache().num_used_blocks() == 10);
  CHECK(!load({v1::LOAD_SECTION_QUEUE}).stats().has_kv_cache());
  CHECK(load({77}).tokens_per_second() == -1);
}

TEST_CASE("WatchLoad goes on until the client or the server ends", "[wire][control]") {
  Wire wire;
  v1::WatchLoadRequest request;
  request.set_interval_ms(100);
  v1::Load load;
  SECTION("client") {
    grpc::ClientContext context;
    auto reader = wire.control->WatchLoad(&context, request);
    for (int i = 0; i < 3; ++i) REQUIRE(reader->Read(&load));
    context.TryCancel();
    while (reader->Read(&load)) continue;
    CHECK(reader->Finish().error_code() == grpc::CANCELLED);
  }
  SECTION("server") {
    grpc::ClientContext context;
    auto reader = wire.control->WatchLoad(&context, request);
    REQUIRE(reader->Read(&load));
    std::thread closer([&] { wire.server->shutdown(Seconds(30)); });  // not held up by a watcher
    while (reader->Read(&load)) continue;
    CHECK(reader->Finish().error_code() == grpc::UNAVAILABLE);
    closer.join();
  }
  SECTION("an interval that cannot be") {
    request.set_interval_ms(5);
    grpc::ClientContext context;
    auto reader = wire.control->WatchLoad(&context, request);
    CHECK(!reader->Read(&load));
    const grpc::Status status = reader->Finish();
    CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
    CHECK(bad_field_of(status) == "interval_ms");
  }
}

TEST_CASE("ListRequests says who is served, oldest first", "[wire][admin]") {
  AdminWire wire;
  wire.wire->engine.listed = std::vector<RequestState>{
      {.request_id = "decoding",
       .priority = PriorityClass::kBulk,
       .is_queued = false,
       .n = 2,
       .prompt_tokens = 10,
       .computed_tokens = 14,
       .completion_tokens = 5,
       .age = Seconds(2.5),
       .peer = "ipv4:10.0.0.1:5",
       .ttft = Seconds(0.5)},
      {.request_id = "computing", .is_queued = false, .prompt_tokens = 10, .computed_tokens = 4},
      {.request_id = "preempted", .is_queued = false, .is_preempted = true, .ttft = Seconds(1)},
      {.request_id = "queued"}};
  v1::ListRequestsResult result;
  grpc::ClientContext context;
  REQUIRE(wire.admin->ListRequests(&context, {}, &result).ok());
  REQUIRE(result.requests_size() == 4);
  const v1::LiveRequest& first = result.requests(0);
  CHECK(first.request_id() == "decoding");
  CHECK(first.phase() == v1::REQUEST_PHASE_DECODE);
  CHECK(first.priority() == v1::PRIORITY_CLASS_BULK);
  CHECK(first.peer() == "ipv4:10.0.0.1:5");
  CHECK(first.num_answers() == 2);
  CHECK(first.prompt_tokens() == 10);
  CHECK(first.computed_tokens() == 14);
  CHECK(first.generated_tokens() == 5);
  CHECK(first.age_seconds() == 2.5);
  CHECK(first.ttft_seconds() == 0.5);
  CHECK(result.requests(1).phase() == v1::REQUEST_PHASE_PREFILL);
  CHECK(!result.requests(1).has_ttft_seconds());
  CHECK(result.requests(1).priority() == v1::PRIORITY_CLASS_DEFAULT);
  CHECK(result.requests(2).phase() == v1::REQUEST_PHASE_WAITING);
  CHECK(result.requests(3).phase() == v1::REQUEST_PHASE_WAITING);
  // Not on the clients' port.
  grpc::ClientContext elsewhere;
  CHECK(
      v1::Admin::NewStub(wire.wire->channel)->ListRequests(&elsewhere, {}, &result).error_code() ==
      grpc::UNIMPLEMENTED);
}

TEST_CASE("Admin answers on its own listener alone", "[wire][admin]") {
  AdminWire wire;
  grpc::ClientContext info_context;
  v1::ServerInfo info;
  REQUIRE(wire.wire->control->GetServerInfo(&info_context, {}, &info).ok());
  REQUIRE(info.admin_listen_size() == 1);
  CHECK(info.admin_listen(0) == "unix:" + wire.dir + "/admin.sock");

  v1::FlushPrefixCacheResult flushed;
  grpc::ClientContext flush_context;
  REQUIRE(wire.admin->FlushPrefixCache(&flush_context, {}, &flushed).ok());
  CHECK(flushed.num_blocks() == 7);

  auto elsewhere = v1::Admin::NewStub(wire.wire->channel);
  grpc::ClientContext context;
  CHECK(elsewhere->FlushPrefixCache(&context, {}, &flushed).error_code() == grpc::UNIMPLEMENTED);
  auto no_inference = v1::Inference::NewStub(wire.channel);
  v1::GenerateResult result;
  grpc::ClientContext other;
  CHECK(no_inference->GenerateUnary(&other, text_request("x", 1), &result).error_code() ==
        grpc::UNIMPLEMENTED);

  auto tune = v1::Tune::NewStub(wire.channel);
  v1::Job job;
  grpc::ClientContext tune_context;
  const grpc::Status refused = tune->CreateJob(&tune_context, {}, &job);
  CHECK(refused.error_code() == grpc::UNIMPLEMENTED);
  CHECK(reason(refused) == "FEATURE_DISABLED");
}

TEST_CASE("ReloadConfig reports changes, or the mistake", "[wire][admin]") {
  AdminWire wire;
  wire.reloaded = std::vector<ConfigChange>{{"scheduler.policy", "\"fcfs\"", "\"priority\"", false},
                                            {"server.listen", "[\"a\"]", "[\"b\"]", true}};
  v1::ReloadConfigResult result;
  grpc::ClientContext context;
  REQUIRE(wire.admin->ReloadConfig(&context, {}, &result).ok());
  REQUIRE(result.changes_size() == 2);
  CHECK(result.changes(0).key() == "scheduler.policy");
  CHECK(!result.changes(0).needs_restart());
  CHECK(result.changes(1).needs_restart());

  wire.reloaded = invalid_argument("ternd.yaml:3: scheduler.policy: must be …");
  grpc::ClientContext again;
  const grpc::Status status = wire.admin->ReloadConfig(&again, {}, &result);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(reason(status) == "CONFIG_INVALID");
  CHECK(status.error_message() == "ternd.yaml:3: scheduler.policy: must be …");
}

TEST_CASE("SetLogLevel changes it and gives the old one", "[wire][admin]") {
  AdminWire wire;
  const auto set = [&](const std::string& level, v1::SetLogLevelResult* result) {
    v1::SetLogLevelRequest request;
    request.set_level(level);
    grpc::ClientContext context;
    return wire.admin->SetLogLevel(&context, request, result);
  };
  v1::SetLogLevelResult result;
  REQUIRE(set("warn", &result).ok());
  CHECK(result.previous_level() == "off");
  REQUIRE(set("off", &result).ok());
  CHECK(result.previous_level() == "warn");
  const grpc::Status status = set("loud", &result);
  CHECK(status.error_code() == grpc::INVALID_ARGUMENT);
  CHECK(bad_field_of(status) == "level");
}

TEST_CASE("Drain refuses new requests and reports until the live ones have ended",
          "[wire][admin]") {
  AdminWire wire;
  wire.wire->engine.paused = true;
  grpc::ClientContext stream_context;
  auto reader = wire.wire->inference->Generate(&stream_context, text_request("hello", 5));
  v1::GenerateEvent event;
  REQUIRE(reader->Read(&event));

  v1::DrainRequest request;
  request.set_timeout_seconds(-1);
  {
    grpc::ClientContext context;
    auto refused = wire.admin->Drain(&context, request);
    v1::DrainProgress progress;
    CHECK(!refused->Read(&progress));
    CHECK(bad_field_of(refused->Finish()) == "timeout_seconds");
    CHECK(wire.num_drains == 0);
  }
  request.set_timeout_seconds(12);
  grpc::ClientContext context;
  auto drain = wire.admin->Drain(&context, request);
  v1::DrainProgress progress;
  REQUIRE(drain->Read(&progress));
  CHECK(progress.num_live_requests() == 1);
  CHECK(!progress.done());
  CHECK(wire.drain_timeout == Seconds(12));
  const grpc::Status refused = wire.wire->generate(text_request("late", 1));
  CHECK(refused.error_code() == grpc::UNAVAILABLE);
  CHECK(reason(refused) == "DRAINING");

  wire.wire->engine.paused = false;
  int num_tokens = 0;
  while (reader->Read(&event)) num_tokens += event.delta().num_tokens();
  CHECK(reader->Finish().ok());
  CHECK(num_tokens == 5);
  while (drain->Read(&progress)) continue;
  CHECK(progress.done());
  CHECK(drain->Finish().ok());
}

TEST_CASE("a drain is not done while requests are still taken", "[wire][admin]") {
  AdminWire wire;
  wire.gives_notice = true;
  grpc::ClientContext context;
  auto drain = wire.admin->Drain(&context, {});
  v1::DrainProgress progress;
  REQUIRE(drain->Read(&progress));
  CHECK(progress.num_live_requests() == 0);
  CHECK(!progress.done());
  grpc::ClientContext info_context;
  v1::ServerInfo info;
  REQUIRE(wire.wire->control->GetServerInfo(&info_context, {}, &info).ok());
  CHECK(info.state() == v1::SERVER_STATE_DRAINING);
  CHECK(wire.wire->generate(text_request("in time", 1)).ok());
  wire.wire->server->start_draining();
  while (drain->Read(&progress)) continue;
  CHECK(progress.done());
  CHECK(drain->Finish().ok());
}
