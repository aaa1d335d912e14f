#include "server/http/handler_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <set>

#include "tests/support/eventually.h"

using namespace tern;
using http::HandlerPool;

namespace {

// Tasks that stay until they are let go.
class Gate {
 public:
  void pass() {
    ++num_inside_;
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return is_open_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    is_open_ = true;
    opened_.notify_all();
  }
  int num_inside() const { return num_inside_; }

 private:
  std::mutex mutex_;
  std::condition_variable opened_;
  bool is_open_ = false;
  std::atomic<int> num_inside_ = 0;
};

}  // namespace

TEST_CASE("one task after the other needs one thread", "[http][threads]") {
  HandlerPool pool(64);
  std::set<std::thread::id> ids;
  for (int i = 0; i < 100; ++i) {
    std::atomic<bool> done = false;
    std::thread::id id;
    pool.run([&] {
      id = std::this_thread::get_id();
      done = true;
    });
    REQUIRE(test::eventually([&] { return done.load(); }));
    ids.insert(id);
  }
  // A thread may still be on its way to its rest when the next task comes.
  CHECK(ids.size() <= 8);
}

TEST_CASE("as many tasks run at once as there may be threads; the others wait", "[http][threads]") {
  Gate gate;
  std::atomic<int> num_ended = 0;
  {
    HandlerPool pool(5);
    for (int i = 0; i < 12; ++i)
      pool.run([&] {
        gate.pass();
        ++num_ended;
      });
    CHECK(test::eventually([&] { return gate.num_inside() == 5; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    CHECK(gate.num_inside() == 5);
    gate.open();
  }
  CHECK(num_ended == 12);  // the pool's end waits for all
}

TEST_CASE("tasks from many threads all run, and what they hold is let go", "[http][threads]") {
  const auto held = std::make_shared<int>(0);
  std::atomic<int> num_run = 0;
  HandlerPool pool(7);
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 500; ++i) pool.run([&num_run, held] { ++num_run; });
    });
  for (std::thread& caller : callers) caller.join();
  pool.shutdown();
  CHECK(num_run == 2000);
  CHECK(held.use_count() == 1);
}
