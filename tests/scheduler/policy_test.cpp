#include "scheduler/policy.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "tests/scheduler/sequences.h"

namespace tern {
namespace {

SchedulerConfig config_of(const std::string& name) {
  SchedulerConfig config;
  config.policy.name = name;
  return config;
}

std::unique_ptr<Policy> policy(const std::string& name) {
  auto made = make_policy(config_of(name));
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
  const auto made = make_policy(config_of("lifo"));
  REQUIRE_FALSE(made.ok());
  CHECK(made.status().code() == Code::kInvalidArgument);
  CHECK(made.status().message().starts_with("policy.name: 'lifo' is not one of fcfs, priority"));
  for (const PolicyInfo& info : policies())
    CHECK(make_policy(config_of(std::string(info.name))).ok());
}

TEST_CASE("a policy's settings are its own, and in their range", "[policy]") {
  const auto message = [](const std::string& name, const std::string& key, double value) {
    SchedulerConfig config = config_of(name);
    config.policy.settings[key] = value;
    return make_policy(config).status().message();
  };
  CHECK(message("fcfs", "no_such_key", 0) == "policy: no policy has a key 'no_such_key'");
  for (const PolicyInfo& info : policies()) {
    for (const PolicyKey* key : info.keys) {
      CAPTURE(key->name);
      const std::string name(key->name);
      const double changed = key->fallback == key->highest ? key->lowest : key->highest;
      for (const PolicyInfo& other : policies()) {
        if (key->name.starts_with("reserved_")) continue;  // these have to fit max_num_seqs
        CHECK(message(std::string(other.name), name, key->fallback).empty());
        const bool is_own = std::ranges::find(other.keys, key) != other.keys.end();
        CHECK(message(std::string(other.name), name, changed).empty() == is_own);
        for (const double wrong : {key->lowest - 0.25, key->highest + 1, std::nan("")})
          CHECK(message(std::string(other.name), name, wrong).starts_with(name + ": must be in ["));
      }
      const std::string half = message(std::string(info.name), name, key->lowest + 0.5);
      CHECK(half.starts_with(name + ": must be a whole number") == key->is_integer);
    }
  }
}

TEST_CASE("a policy leaves places to the classes that they are reserved for", "[policy]") {
  SchedulerConfig config = config_of("priority");
  config.policy.settings = {{"reserved_seqs_system", 1}, {"reserved_seqs_interactive", 2}};
  const auto made = make_policy(config);
  REQUIRE(made.ok());
  const auto all = five();  // bulk, interactive, default, system, interactive
  const Sequence &bulk = *all[0], &interactive = *all[1], &system = *all[3];
  std::vector<const Sequence*> running = {&bulk};
  CHECK_FALSE((*made)->may_admit(bulk, running, 3));
  CHECK((*made)->may_admit(bulk, running, 4));
  CHECK_FALSE((*made)->may_admit(interactive, running, 1));
  CHECK((*made)->may_admit(interactive, running, 2));
  CHECK((*made)->may_admit(system, running, 1));
  running = {&interactive, &system, all[4].get()};  // all reserved places are held
  CHECK((*made)->may_admit(bulk, running, 1));
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
