// Who may wait: caps, reserved places, deadlines that cannot be met, giving way.
#include "engine/serve/admission.h"

#include <catch2/catch.hpp>

using namespace tern;

namespace {

constexpr TimePoint kNow{std::chrono::seconds(100)};

SchedulerConfig config() {
  SchedulerConfig c;
  c.max_num_seqs = 4;
  c.max_num_batched_tokens = 100;
  return c;
}

SchedulerStats running(int32_t num) {
  SchedulerStats stats;
  stats.num_running = num;
  stats.num_blocks = stats.num_free_blocks = 1000;
  return stats;
}

Request request(PriorityClass priority, size_t prompt = 10) {
  Request r;
  r.priority = priority;
  r.prompt_token_ids.assign(prompt, 1);
  return r;
}

/// 1 ms a step and 0.1 ms a token; answers of 50 tokens.
LoadPredictor predictor() {
  LoadPredictor p(config());
  for (int i = 0; i < 200; ++i) {
    const int32_t tokens = i % 2 ? 100 : 4;
    p.observe_step(tokens, Seconds(1e-3 + 1e-4 * tokens));
  }
  for (int i = 0; i < 3000; ++i) p.observe_answer(50);
  return p;
}

std::string reason(const Status& status) {
  return status.detail() ? status.detail()->reason : "";
}

}  // namespace

TEST_CASE("caps count requests and prompt tokens, and say when to come again",
          "[admission][EC-6]") {
  AdmissionControl admission({.max_queued_requests = 2, .max_queued_tokens = 150});
  const LoadPredictor p = predictor();
  const auto admit = [&](uint64_t id, size_t prompt) {
    return admission.admit(id, request(PriorityClass::kDefault, prompt), kNow, p, running(4))
        .status;
  };
  CHECK(admit(1, 100000).ok());  // one is always let in
  admission.leave(1);
  CHECK(admit(2, 100).ok());
  const Status tokens = admit(3, 60);
  CHECK(tokens.code() == Code::kResourceExhausted);
  CHECK(reason(tokens) == "QUEUE_TOKENS_FULL");
  CHECK(tokens.detail()->metadata.at("limit") == "150");
  CHECK(tokens.detail()->metadata.at("value") == "160");
  CHECK(admit(4, 50).ok());
  const Status full = admit(5, 1);
  CHECK(reason(full) == "QUEUE_FULL");
  CHECK(full.detail()->metadata.at("limit") == "2");
  // Two answers of 50 steps at 1.4 ms end among the four that run, and then one more.
  REQUIRE(full.detail()->retry_after);
  CHECK(full.detail()->retry_after->count() == Approx(3 * 50 * 1.4e-3 / 4).epsilon(0.05));
  admission.leave(2);
  admission.leave(2);  // twice is nothing
  CHECK(admission.load().num_requests == 1);
  CHECK(admission.load().num_tokens == 50);
  CHECK(admit(6, 1).ok());
}

TEST_CASE("reserved places are for their class and those before it", "[admission]") {
  AdmissionControl admission(
      {.max_queued_requests = 4, .reserved_queue_system = 1, .reserved_queue_interactive = 1});
  const LoadPredictor p(config());
  uint64_t id = 0;
  const auto admits = [&](PriorityClass priority) {
    return admission.admit(++id, request(priority), kNow, p, running(0)).status.ok();
  };
  CHECK(admits(PriorityClass::kDefault));
  CHECK(admits(PriorityClass::kDefault));
  CHECK(!admits(PriorityClass::kDefault));
  CHECK(!admits(PriorityClass::kBulk));
  CHECK(admits(PriorityClass::kInteractive));
  CHECK(admits(PriorityClass::kSystem));
  CHECK(admission.load().num_requests == 4);
}

TEST_CASE("in a full queue the newest of the last class gives way to a higher one",
          "[admission][EC-6]") {
  AdmissionControl admission({.max_queued_requests = 3, .max_queued_tokens = 1000});
  const LoadPredictor p(config());
  const auto admit = [&](uint64_t id, PriorityClass priority, size_t prompt = 10) {
    return admission.admit(id, request(priority, prompt), kNow, p, running(0));
  };
  CHECK(admit(1, PriorityClass::kBulk).status.ok());
  CHECK(admit(2, PriorityClass::kBulk).status.ok());
  CHECK(admit(3, PriorityClass::kDefault).status.ok());
  CHECK(reason(admit(4, PriorityClass::kBulk).status) == "QUEUE_FULL");  // its equals do not
  const auto first = admit(5, PriorityClass::kInteractive);
  CHECK(first.status.ok());
  CHECK(first.shed == 2u);
  CHECK(admit(6, PriorityClass::kDefault).shed == 1u);
  CHECK(reason(admit(7, PriorityClass::kDefault).status) == "QUEUE_FULL");
  CHECK(admit(8, PriorityClass::kInteractive).shed == 6u);
  CHECK(admission.load().num_requests == 3);
  // Nobody is sent away where that would not make room enough.
  const auto large = admit(9, PriorityClass::kSystem, 5000);
  CHECK(reason(large.status) == "QUEUE_FULL");
  CHECK(!large.shed);
}

TEST_CASE("a deadline that the queue will outlast is refused at once", "[admission][EC-7]") {
  AdmissionControl admission({});
  const LoadPredictor p = predictor();
  const auto admit = [&](uint64_t id, double left, int32_t min_tokens = 0, size_t prompt = 10) {
    Request r = request(PriorityClass::kDefault, prompt);
    r.deadline = kNow + to_duration(Seconds(left));
    r.sampling.min_tokens = min_tokens;
    return admission.admit(id, r, kNow, p, running(4)).status;
  };
  // One place must fall free (50 steps of 1.4 ms among 4), then a prefill of 10 tokens.
  const Status late = admit(1, 0.010);
  CHECK(late.code() == Code::kResourceExhausted);
  CHECK(reason(late) == "DEADLINE_INFEASIBLE");
  CHECK(late.detail()->metadata.at("left_ms") == "10");
  CHECK(late.detail()->retry_after);
  CHECK(admit(2, 0.030).ok());
  admission.leave(2);
  CHECK(reason(admit(3, 0.030, 40)) == "DEADLINE_INFEASIBLE");      // 40 tokens at least
  CHECK(reason(admit(4, 0.030, 0, 900)) == "DEADLINE_INFEASIBLE");  // a prompt of ten steps
  const Status past = admit(5, -1);
  CHECK(past.code() == Code::kDeadlineExceeded);
  CHECK(reason(past) == "QUEUE_TIMEOUT");
  CHECK(admission.load().num_requests == 0);
  // Before the first step nothing is known, and nothing refused.
  AdmissionControl fresh({});
  Request r = request(PriorityClass::kDefault, 900);
  r.deadline = kNow + to_duration(Seconds(1e-3));
  CHECK(fresh.admit(1, r, kNow, LoadPredictor(config()), running(0)).status.ok());
}

TEST_CASE("a place in the batch needs KV blocks as well", "[admission]") {
  const LoadPredictor p = predictor();
  SchedulerStats stats = running(2);
  const Seconds free_places = p.queue_time({}, stats);
  CHECK(free_places == Seconds(0));
  stats.num_used_blocks = 100;
  stats.num_free_blocks = 10;  // a fifth of what a running sequence holds
  CHECK(p.queue_time({}, stats) > Seconds(0));
}
