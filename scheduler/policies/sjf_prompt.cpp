// Shortest prompt first, by the tokens that are not cached. How long a prompt is says little of how
// long its answer will be (docs/scheduling.md has figures): it is right where prefill is the work.
#include "scheduler/policies/keyed_order.h"

namespace tern {
namespace {

class ShortPromptFirst final : public KeyedOrder {
 public:
  using KeyedOrder::KeyedOrder;
  bool reads_prefix() const override { return true; }

 protected:
  double key(const Sequence& seq, double) const override {
    return seq.num_tokens() - seq.num_prefix_tokens;
  }
};

}  // namespace

Result<std::unique_ptr<Policy>> make_sjf_prompt(const SchedulerConfig& config) {
  return std::unique_ptr<Policy>(
      std::make_unique<ShortPromptFirst>(KeyedSettings::read(config.policy)));
}

}  // namespace tern
