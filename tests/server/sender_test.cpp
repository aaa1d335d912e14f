#include "server/grpc/sender.h"

#include <atomic>
#include <catch2/catch.hpp>

#include "tests/support/eventually.h"

namespace tern {
namespace {

struct Counted : Sender::Source {
  void send() override {
    sent_by = std::this_thread::get_id();
    ++num_sent;
  }
  std::atomic<int> num_sent{0};
  std::atomic<std::thread::id> sent_by{};
};

TEST_CASE("sender: what is posted is sent once, even where the sender goes at once") {
  std::vector<std::shared_ptr<Counted>> sources(1000);
  for (auto& source : sources) source = std::make_shared<Counted>();
  {
    Sender sender;
    std::vector<std::thread> posting;
    for (size_t t = 0; t < 4; ++t)
      posting.emplace_back([&, t] {
        for (size_t i = t; i < sources.size(); i += 4)
          i % 3 ? sender.post(sources[i]) : sender.send_or_post(sources[i]);
      });
    for (std::thread& thread : posting) thread.join();
  }
  for (const auto& source : sources) {
    REQUIRE(source->num_sent == 1);
    REQUIRE(source.use_count() == 1);
  }
}

TEST_CASE("sender: the caller sends the first few itself, and again after a pause") {
  Sender sender;
  const auto is_sent_here = [&] {
    const auto source = std::make_shared<Counted>();
    sender.send_or_post(source);
    REQUIRE(test::eventually([&] { return source->num_sent == 1; }));
    return source->sent_by.load() == std::this_thread::get_id();
  };
  for (int round = 0; round < 3; ++round) {
    REQUIRE(test::eventually(is_sent_here));  // once the sender's threads are idle again
    int num_sent_here = 1;
    while (is_sent_here()) REQUIRE(++num_sent_here < 100);
  }
}

}  // namespace
}  // namespace tern
