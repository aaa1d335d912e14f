// Random interleavings of clients, transports, admission, engine and scheduler on a virtual clock:
// whatever happens, every request ends once and leaves nothing behind.
#include <spdlog/spdlog.h>

#include <cstdlib>

#include "tests/server/interleavings/drafting.h"
#include "tests/server/interleavings/world.h"

namespace tern {
namespace {

// Fewer where a seeded fault must be found, or a sanitizer slows everything down.
uint64_t num_scenarios() {
  const char* text = std::getenv("TERN_PROPERTY_SCENARIOS");
  return text == nullptr ? 100'000 : std::strtoull(text, nullptr, 10);
}

TEST_CASE("random interleavings keep every rule, and replay to the same events",
          "[server][property][EC-3][EC-4][EC-5][EC-46]") {
  spdlog::set_level(spdlog::level::off);  // a line a request
  const uint64_t count = num_scenarios();
  REQUIRE(count >= 1000);
  Coverage c, ignored;
  for (uint64_t number = 0; number < count; ++number) {
    const uint64_t digest = World(number, c).run();
    if (number % 64 == 0 && World(number, ignored).run() != digest)
      FAIL("scenario " << number << " replays differently");
  }
  // Each hard case was met often; the counts are the witness's own.
  CHECK(c.turns > count * 10);
  CHECK(c.steps > count * 5);
  const struct {
    const char* what;
    uint64_t times;
  } cases[] = {{"accepted", c.accepted},
               {"completed", c.completed},
               {"several answers", c.several_answers},
               {"turns within submit()", c.turns_within_submit},
               {"preemptions", c.preemptions},
               {"streams", c.streams},
               {"unary calls", c.unary},
               {"HTTP requests", c.http},
               {"queue full", c.queue_full},
               {"queue full of tokens", c.queue_tokens_full},
               {"deadline infeasible", c.infeasible},
               {"deadline passed before", c.too_late},
               {"id in use", c.duplicates},
               {"too long", c.too_long},
               {"refused while draining", c.draining},
               {"cancelled while queued", c.cancelled_queued},
               {"cancelled while running", c.cancelled_running},
               {"cancelled with answers held", c.held_cancels},
               {"cancelled after the end", c.late_cancels},
               {"aborted", c.aborted},
               {"aborted after the end", c.abort_finished},
               {"aborted by an unknown id", c.abort_unknown},
               {"deadline passed while queued", c.deadline_queued},
               {"deadline passed while running", c.deadline_running},
               {"paused", c.pauses},
               {"resumed", c.resumes},
               {"ended for a slow reader", c.slow_readers},
               {"gave way to a higher class", c.shed},
               {"numeric fault", c.poisoned},
               {"ended by shutdown", c.shut_down},
               {"several tokens at once", c.several_tokens},
               {"ended by a stop string", c.stop_strings},
               {"told the prompt's log-probabilities", c.prompt_logprobs},
               {"drafts computed", drafting_counts().computed},
               {"drafts kept", drafting_counts().kept},
               {"drafts rejected", drafting_counts().computed - drafting_counts().kept}};
  for (const auto& [what, times] : cases) {
    INFO(what << ": " << times << " times in " << count << " scenarios");
    CHECK(times > count / 100);
  }
}

}  // namespace
}  // namespace tern
