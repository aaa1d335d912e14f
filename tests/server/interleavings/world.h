// One random scenario of a whole server but its sockets: clients come, read, stop reading, cancel
// and leave; operators abort, flush, reconfigure, drain and shut down; time jumps.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "tests/server/interleavings/clients.h"

namespace tern {

class World {
 public:
  World(uint64_t number, Coverage& coverage);

  /// Until everything has ended. Returns a digest of all that happened.
  uint64_t run();

 private:
  /// A client and how it reads.
  struct Guest {
    std::shared_ptr<Client> client;
    uint32_t reads_one_in = 1;  // of its chances; 0: not before its request has ended
  };

  static WatchedConfig draw_config(Scenario& scenario);
  static RequestLimits draw_limits(Scenario& scenario);

  void operate();
  void submit();
  std::vector<int32_t> draw_prompt();
  v1::GenerateRequest draw_request();
  void read(Guest& guest);
  void leave();
  void abort();
  void jump();
  void reconfigure();
  void drain();
  void finish();
  void serve_one_more();
  void check();
  std::string draw_name() { return "r" + std::to_string(scenario_.draw(8)); }

  Scenario scenario_;
  const WatchedConfig config_;
  ServingState state_;
  std::unique_ptr<WatchedEngine> engine_;
  Service service_;
  std::vector<Guest> guests_;
  std::vector<int32_t> stream_;  // prompts begin with a piece of it
  std::vector<int32_t> last_prompt_;
  int32_t num_to_come_ = 0;
  bool is_draining_ = false;
};

}  // namespace tern
