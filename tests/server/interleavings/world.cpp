#include "tests/server/interleavings/world.h"

#include <algorithm>

namespace tern {
namespace {

constexpr uint64_t kMaxOperations = 5000;  // no scenario needs a tenth of them

v1::PriorityClass to_wire(PriorityClass priority) {
  return static_cast<v1::PriorityClass>(static_cast<int>(priority) + 1);
}

}  // namespace

World::World(uint64_t number, Coverage& coverage)
    : scenario_(number, coverage),
      config_(draw_config(scenario_)),
      state_(draw_limits(scenario_), scenario_.clock),
      engine_(WatchedEngine::create(config_, scenario_)),
      service_{scenario_, *engine_, state_} {
  state_.set_engine(*engine_);
  num_to_come_ = static_cast<int32_t>(2 + scenario_.draw(7));
  for (int i = 0; i < 16; ++i) stream_.push_back(static_cast<int32_t>('a' + scenario_.draw(3)));
}

WatchedConfig World::draw_config(Scenario& s) {
  WatchedConfig config;
  SchedulerConfig& scheduler = config.scheduler;
  scheduler.block_size = static_cast<int32_t>(1 + s.draw(4));
  scheduler.num_blocks = static_cast<int32_t>(8 + s.draw(12));
  scheduler.max_num_seqs = static_cast<int32_t>(1 + s.draw(4));
  scheduler.max_num_batched_tokens = scheduler.max_num_seqs + static_cast<int32_t>(s.draw(12));
  if (s.one_in(2))
    scheduler.max_logits_rows = scheduler.max_num_seqs + static_cast<int32_t>(s.draw(10));
  scheduler.max_model_len = std::min(24, scheduler.num_blocks * scheduler.block_size);
  if (s.one_in(2))
    scheduler.num_state_slots = scheduler.max_num_seqs + static_cast<int32_t>(s.draw(8));
  scheduler.enable_prefix_caching = !s.one_in(4);
  scheduler.max_preemptions = static_cast<int32_t>(s.draw(3));
  scheduler.policy.name = s.one_in(2) ? "priority" : "fcfs";
  config.queue.max_queued_requests = static_cast<int32_t>(2 + s.draw(4));
  config.queue.max_queued_tokens = s.one_in(3) ? 10 : 1000;
  config.queue.reserved_queue_interactive = static_cast<int32_t>(s.draw(2));
  if (s.one_in(3))
    config.poison = {.token_id = static_cast<int32_t>('a' + s.draw(3)),
                     .position = static_cast<int32_t>(2 + s.draw(6))};
  return config;
}

RequestLimits World::draw_limits(Scenario& s) {
  RequestLimits limits;
  limits.max_buffered_tokens = static_cast<int32_t>(1 + s.draw(6));
  limits.max_reader_pause = Seconds(s.one_in(2) ? 0.01 : 0.05);
  limits.max_request_duration = Seconds(s.one_in(4) ? 0.1 : 0);
  return limits;
}

uint64_t World::run() {
  while (num_to_come_ > 0 || !guests_.empty()) {
    scenario_.expect(++scenario_.num_operations < kMaxOperations, "everything ends");
    operate();
    std::erase_if(guests_, [](const Guest& guest) { return guest.client->is_done(); });
    check();
  }
  finish();
  return scenario_.digest();
}

void World::operate() {
  switch (scenario_.draw(20)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return submit();
    case 4:
      return leave();
    case 5:
      return abort();
    case 6:
      return jump();
    case 7:
      if (scenario_.one_in(3)) reconfigure();
      return;
    case 8:
      if (scenario_.one_in(3)) engine_->flush_prefix_cache([](int32_t) {});
      return;
    case 9:
      if (num_to_come_ <= 1 && scenario_.one_in(6)) drain();
      return;
    case 10:
      if (num_to_come_ == 0 && scenario_.one_in(4)) engine_->shutdown();
      return;
    case 11:
    case 12:
    case 13:
    case 14:
      for (Guest& guest : guests_) read(guest);
      return;
    default:
      return engine_->advance();
  }
}

// A piece of the stream, perhaps with another end; or a conversation that goes on: a prompt of
// before, a piece of its answer, and more.
std::vector<int32_t> World::draw_prompt() {
  std::vector<int32_t> prompt(stream_.begin(),
                              stream_.begin() + 1 + scenario_.draw(scenario_.one_in(3) ? 12 : 5));
  if (scenario_.one_in(3) && !last_prompt_.empty()) {
    SimContext context(config_.has_state(), prompt = last_prompt_);
    for (uint32_t left = scenario_.draw(8); left > 0 && prompt.size() < 18; --left) {
      prompt.push_back(context.next_token());
      context.push(prompt.back());
    }
  }
  if (scenario_.one_in(2)) prompt.back() = static_cast<int32_t>('a' + scenario_.draw(6));
  return last_prompt_ = prompt;
}

v1::GenerateRequest World::draw_request() {
  v1::GenerateRequest request;
  request.set_request_id(draw_name());
  for (const int32_t id : draw_prompt())
    request.mutable_token_ids()->add_ids(static_cast<uint32_t>(id));
  v1::SamplingParams& sampling = *request.mutable_sampling();
  sampling.mutable_stopping()->set_max_tokens(1 + scenario_.draw(scenario_.one_in(12) ? 30 : 12));
  if (scenario_.one_in(6)) {
    std::string& stop = *sampling.mutable_stopping()->add_stop();
    for (uint32_t length = 1 + scenario_.draw(2); length > 0; --length)
      stop += static_cast<char>('a' + scenario_.draw(26));
  }
  const bool several = scenario_.one_in(4);
  if (several) sampling.set_n(2 + scenario_.draw(2));
  // The simulated model is so sure of itself that a draw changes nothing.
  sampling.mutable_random()->set_temperature(several ? 1 : 0);
  sampling.mutable_random()->set_seed(scenario_.draw(100));
  request.mutable_scheduling()->set_priority(
      to_wire(static_cast<PriorityClass>(scenario_.draw(4))));
  if (scenario_.one_in(4)) request.mutable_response()->set_stream_interval(1 + scenario_.draw(3));
  if (scenario_.one_in(6)) request.mutable_response()->set_prefill_progress(true);
  if (scenario_.one_in(6)) request.mutable_cache()->set_bypass_read(true);
  if (!several && scenario_.one_in(8)) request.mutable_response()->set_prompt_logprobs(0);
  return request;
}

void World::submit() {
  if (num_to_come_ == 0) return;
  --num_to_come_;
  std::optional<TimePoint> deadline;
  if (scenario_.one_in(3))
    deadline = scenario_.clock.now() + std::chrono::milliseconds(scenario_.draw(40));
  const v1::GenerateRequest request = draw_request();
  constexpr uint32_t kReaders[] = {1, 1, 2, 6, 0};
  const Guest guest{make_client(static_cast<ClientKind>(scenario_.draw(3)), service_),
                    kReaders[scenario_.draw(5)]};
  if (guest.client->submit(request, deadline)) guests_.push_back(guest);
}

void World::read(Guest& guest) {
  const bool has_come =
      guest.reads_one_in == 0 ? !guest.client->is_live() : scenario_.one_in(guest.reads_one_in);
  if (!has_come) return;
  for (uint32_t pieces = 1 + scenario_.draw(4); pieces > 0; --pieces) guest.client->read();
}

void World::leave() {
  if (guests_.empty()) return;
  Client& client = *guests_[scenario_.draw(static_cast<uint32_t>(guests_.size()))].client;
  client.leave();
  if (scenario_.one_in(4)) client.leave();
}

void World::abort() {
  std::vector<std::string> names{draw_name()};
  while (scenario_.one_in(3)) names.push_back(draw_name());
  engine_->abort(names, "", [](std::vector<AbortOutcome>) {});
}

void World::jump() {
  scenario_.clock.advance(Seconds(1e-3 * scenario_.draw(scenario_.one_in(8) ? 100 : 5)));
}

void World::reconfigure() {
  SchedulerConfig scheduler = config_.scheduler;
  const bool too_much = scenario_.one_in(4);
  scheduler.max_num_seqs =
      too_much ? config_.scheduler.max_num_seqs + 1
               : static_cast<int32_t>(1 + scenario_.draw(config_.scheduler.max_num_seqs));
  if (too_much) ++scheduler.max_num_batched_tokens;
  scheduler.policy.name = scenario_.one_in(2) ? "priority" : "fcfs";
  QueueLimits queue = config_.queue;
  queue.max_queued_requests = static_cast<int32_t>(2 + scenario_.draw(4));
  engine_->reconfigure(scheduler, queue, [this, too_much](Status status) {
    scenario_.expect(status.ok() == !too_much, "what there is memory for can be configured");
  });
}

void World::drain() {
  is_draining_ = true;
  if (scenario_.one_in(2)) state_.start_draining();  // ternd does both, one after the other
  engine_->start_draining();
}

void World::check() {
  engine_->check();
  int num_calls = 0;
  for (const Guest& guest : guests_) num_calls += guest.client->num_calls();
  scenario_.expect(state_.num_live_calls() == num_calls, "a call lives as long as it is used");
}

void World::finish() {
  scenario_.expect(engine_->num_live() == 0, "nothing lives without a client");
  scenario_.clock.advance(Seconds(1000));  // what was left of deadlines and pauses would show
  engine_->advance();
  if (!engine_->is_stopped()) serve_one_more();
  int32_t num_flushed = -1;
  engine_->flush_prefix_cache([&](int32_t num_blocks) { num_flushed = num_blocks; });
  engine_->advance();
  scenario_.expect(num_flushed >= 0, "a flush is answered");
  const EngineStats stats = engine_->stats();
  scenario_.expect(stats.scheduler.num_free_blocks == engine_->num_blocks(),
                   "every KV block is free again");
  scenario_.coverage.preemptions += stats.scheduler.num_preemptions > 0;
  engine_->shutdown();
  engine_->cancel(1);
  engine_->resume(1);
  abort();
  scenario_.expect(state_.num_calls_created == state_.num_calls_released,
                   "every call that was created is released");
}

// Whatever has happened, the engine is as good as new.
void World::serve_one_more() {
  v1::GenerateRequest request;
  request.set_request_id(draw_name());
  request.mutable_token_ids()->add_ids('z');
  request.mutable_sampling()->mutable_stopping()->set_max_tokens(2);  // no poison is that near
  request.mutable_sampling()->mutable_random()->set_temperature(0);
  const auto client = make_client(ClientKind::kUnary, service_);
  const bool accepted = client->submit(request, {});
  scenario_.expect(accepted == !is_draining_, "an idle engine takes a request");
  for (int i = 0; accepted && !client->is_done(); ++i) {
    scenario_.expect(i < 10, "an idle engine answers at once");
    engine_->advance();
    client->read();
  }
  scenario_.expect(!accepted || client->requests()[0]->failure.ok(), "an idle engine answers");
}

}  // namespace tern
