#include "scheduler/policy.h"

#include <catch2/catch.hpp>

#include "tests/scheduler/sequences.h"

namespace tern {
namespace {

std::unique_ptr<Policy> policy(const std::string& name) {
  auto made = make_policy({.name = name});
  REQUIRE(made.ok());
  return *std::move(made);
}

std::vector<std::unique_ptr<Sequence>> five() {
  std::vector<std::unique_ptr<Sequence>> all;
  for (const uint64_t id : {1, 2, 3, 4, 5}) all.push_back(sequence(id, tokens(1), 1));
  all[0]->priority = PriorityClass::kBulk;
  all[1]->priority = PriorityClass::kInteractive;
  all[3]->priority = PriorityClass::kSystem;
  all[4]->priority = PriorityClass::kInteractive;
  return all;
}

std::vector<uint64_t> drain(Policy& p) {
  std::vector<uint64_t> ids;
  while (Sequence* next = p.next(at(0))) {
    ids.push_back(next->id);
    p.admit(*next);
  }
  return ids;
}

std::vector<uint64_t> order(const std::string& name, std::vector<std::unique_ptr<Sequence>>& all) {
  const auto p = policy(name);
  for (const size_t i : {3, 0, 4, 2, 1}) p->add(*all[i], at(0));
  return drain(*p);
}

TEST_CASE("an unknown policy is refused with the list of known ones", "[policy]") {
  const auto made = make_policy({.name = "lifo"});
  REQUIRE_FALSE(made.ok());
  CHECK(made.status().code() == Code::kInvalidArgument);
  CHECK(made.status().message() == "policy.name: 'lifo' is not one of fcfs, priority");
  for (const std::string_view name : policy_names()) {
    CHECK(make_policy({.name = std::string(name)}).ok());
  }
}

TEST_CASE("fcfs serves by arrival, then id, whatever the class", "[policy]") {
  auto all = five();
  CHECK(order("fcfs", all) == std::vector<uint64_t>{1, 2, 3, 4, 5});
  all[4]->arrival = all[1]->arrival;
  all[0]->arrival = at(9);
  CHECK(order("fcfs", all) == std::vector<uint64_t>{2, 5, 3, 4, 1});
}

TEST_CASE("priority serves class by class", "[policy]") {
  auto all = five();
  CHECK(order("priority", all) == std::vector<uint64_t>{4, 2, 5, 3, 1});
}

TEST_CASE("a preempted sequence waits ahead of its class, not of others", "[policy]") {
  auto all = five();
  all[4]->num_preemptions = 1;
  CHECK(order("fcfs", all) == std::vector<uint64_t>{5, 1, 2, 3, 4});
  CHECK(order("priority", all) == std::vector<uint64_t>{4, 5, 2, 3, 1});
}

TEST_CASE("victims are the last by class, arrival and id, blind to preemptions", "[policy]") {
  auto all = five();
  all[4]->num_preemptions = 1;
  const auto fcfs = policy("fcfs");
  CHECK(fcfs->before(*all[0], *all[1]));
  CHECK(fcfs->before(*all[3], *all[4]));
  CHECK_FALSE(fcfs->before(*all[2], *all[2]));
  const auto priority = policy("priority");
  CHECK(priority->before(*all[1], *all[0]));
  CHECK(priority->before(*all[1], *all[4]));
  CHECK(priority->before(*all[3], *all[1]));
  all[4]->arrival = all[1]->arrival;
  CHECK(priority->before(*all[1], *all[4]));
  CHECK_FALSE(priority->before(*all[4], *all[1]));
}

TEST_CASE("a removed sequence is forgotten at once and may be destroyed", "[policy]") {
  auto all = five();
  const auto p = policy("priority");
  for (const auto& seq : all) p->add(*seq, at(0));
  p->remove(*all[3]);
  all[3].reset();
  CHECK(p->next(at(0))->id == 2);
  p->remove(*all[2]);
  all[2].reset();
  CHECK(drain(*p) == std::vector<uint64_t>{2, 5, 1});
  CHECK(p->next(at(0)) == nullptr);
}

}  // namespace
}  // namespace tern
