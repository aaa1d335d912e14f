// Shortest job first by the true length of each answer, which the client gives as its hint: what no
// ranker can do better. For benchmarks and simulation alone, as it believes every client.
#include <cmath>

#include "scheduler/policies/keyed_order.h"

namespace tern {
namespace {

class OraclePolicy final : public KeyedOrder {
 public:
  using KeyedOrder::KeyedOrder;

  bool reads_prefix() const override { return !settings().prefill_weight.is_off(); }

 protected:
  double key(const Sequence& seq, double) const override { return cost(seq); }

  double cost(const Sequence& seq) const override {
    const double hint = seq.hinted_output_tokens;
    const double total = std::isnan(hint) || seq.has_exact_length
                             ? seq.max_tokens
                             : std::min<double>(hint, seq.max_tokens);
    return KeyedOrder::cost(seq) + std::max(total - seq.num_output_tokens(), 0.0);
  }
};

}  // namespace

Result<std::unique_ptr<Policy>> make_oracle(const SchedulerConfig& config) {
  return std::unique_ptr<Policy>(
      std::make_unique<OraclePolicy>(KeyedSettings::read(config.policy)));
}

}  // namespace tern
