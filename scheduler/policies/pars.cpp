// Shortest job first by what is expected of each prompt: PARS (Tao et al., "Prompt-Aware Scheduling
// for Low-Latency LLM Serving", arXiv 2510.03243), with a bound on how much of the service the
// starved get, and with the known part of the work, the prompt, in the key.
#include <cmath>

#include "scheduler/policies/expected_length.h"
#include "scheduler/policies/keyed_order.h"

namespace tern {
namespace {

constexpr PolicyKey kAgingTau{
    .name = "aging_tau_s",
    .doc =
        "pars: so many seconds of waiting are worth as much as an answer that is shorter by the "
        "median; 0: none.",
    .lowest = 0,
    .highest = 86400,
    .fallback = 0,
    .is_integer = false};
constexpr const PolicyKey* kKeys[] = {&kStarveKey,       &kStarveQuotaKey, &kAgingTau,
                                      &kBypassWindowKey, &kTenantSlackKey, &kPrefillWeightKey};

/// The key is the work that is left, in output tokens: what of the prompt is not cached, weighed,
/// and what is expected of the answer. Ageing adds arrival · median / tau: what is subtracted for
/// having waited until now would be the same for all, so it is left out and the key stands still.
class ParsPolicy final : public KeyedOrder {
 public:
  ParsPolicy(const KeyedSettings& settings, Seconds aging_tau)
      : KeyedOrder(settings), aging_tau_(aging_tau) {}

  bool reads_prefix() const override { return !settings().prefill_weight.is_off(); }

  void use_ranker(uint64_t version) override {
    lengths_.use_ranker(version);
    rescore_all();
  }

  void inherit(const Policy& previous) override {
    KeyedOrder::inherit(previous);
    if (const auto* other = dynamic_cast<const ParsPolicy*>(&previous)) lengths_ = other->lengths_;
  }

  void rekey(Sequence& seq, Changed what) override {
    if (what == Changed::kScore) lengths_.arrived(seq);
    KeyedOrder::rekey(seq, what);
  }

  void left(const Sequence& seq, Leave why) override {
    if (why == Leave::kFinished) lengths_.finished(seq);
    KeyedOrder::left(seq, why);
  }

 protected:
  void arrived(const Sequence& seq) override { lengths_.arrived(seq); }

  double cost(const Sequence& seq) const override {
    return KeyedOrder::cost(seq) + lengths_.remaining(seq);
  }

  double expect(const Sequence& seq) const override {
    const double median = lengths_.median();
    const bool ages = aging_tau_ > Seconds(0) && !std::isnan(median);
    const Seconds arrival = seq.arrival.time_since_epoch();
    return lengths_.remaining(seq) + (ages ? median * (arrival / aging_tau_) : 0);
  }

  double key(const Sequence& seq, double expected) const override {
    return KeyedOrder::cost(seq) + expected;
  }

 private:
  const Seconds aging_tau_;
  ExpectedLength lengths_;
};

}  // namespace

std::span<const PolicyKey* const> pars_keys() {
  return kKeys;
}

Result<std::unique_ptr<Policy>> make_pars(const SchedulerConfig& config) {
  return std::unique_ptr<Policy>(std::make_unique<ParsPolicy>(
      KeyedSettings::read(config.policy), Seconds(kAgingTau.value(config.policy))));
}

}  // namespace tern
