// Longest prefix match: whoever has most of its prompt in the prefix cache goes first, before that
// is evicted.
#include "scheduler/policies/keyed_order.h"

namespace tern {
namespace {

class LongestPrefixMatch final : public KeyedOrder {
 public:
  using KeyedOrder::KeyedOrder;
  bool reads_prefix() const override { return true; }

 protected:
  double key(const Sequence& seq, double) const override { return -seq.num_prefix_tokens; }
};

}  // namespace

Result<std::unique_ptr<Policy>> make_lpm(const SchedulerConfig& config) {
  return std::unique_ptr<Policy>(
      std::make_unique<LongestPrefixMatch>(KeyedSettings::read(config.policy)));
}

}  // namespace tern
