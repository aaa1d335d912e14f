// Shortest job first by what is expected of each prompt: PARS (Tao et al., "Prompt-Aware Scheduling
// for Low-Latency LLM Serving", arXiv 2510.03243), with a bound on how much of the service the
// starved get, and with the known part of the work, the prompt, in the key.
#include <algorithm>
#include <cmath>
#include <optional>

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
/// and what is expected of the answer. Ageing adds arrival · slope / tau: what is subtracted for
/// having waited until now would be the same for all, so it is left out and the key stands still.
/// The slope is the median, but it moves only when that has doubled or halved, and takes the keys
/// of all that wait along: keys by two slopes cannot be compared.
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
    const auto* other = dynamic_cast<const ParsPolicy*>(&previous);
    if (other == nullptr) return;
    lengths_ = other->lengths_;
    origin_ = other->origin_;
    follow_median();
  }

  void rekey(Sequence& seq, Changed what) override {
    if (what == Changed::kScore) arrived(seq);
    KeyedOrder::rekey(seq, what);
  }

  void left(const Sequence& seq, Leave why) override {
    if (why == Leave::kFinished) lengths_.finished(seq);
    KeyedOrder::left(seq, why);
    follow_median();
  }

 protected:
  void arrived(const Sequence& seq) override {
    if (!origin_) origin_ = seq.arrival;
    lengths_.arrived(seq);
    follow_median();
  }

  double cost(const Sequence& seq) const override {
    return KeyedOrder::cost(seq) + lengths_.remaining(seq);
  }

  double expect(const Sequence& seq) const override {
    if (slope_ == 0) return lengths_.remaining(seq);
    const Seconds arrival = seq.arrival - origin_.value_or(seq.arrival);
    return lengths_.remaining(seq) + slope_ * (arrival / aging_tau_);
  }

  double key(const Sequence& seq, double expected) const override {
    return KeyedOrder::cost(seq) + expected;
  }

 private:
  void follow_median() {
    const double median = std::max(lengths_.median(), 1.0);
    if (aging_tau_ <= Seconds(0) || std::isnan(lengths_.median())) return;
    if (median <= 2 * slope_ && slope_ <= 2 * median) return;
    slope_ = median;
    rescore_all();
  }

  const Seconds aging_tau_;
  ExpectedLength lengths_;
  double slope_ = 0;                 // tokens that are worth a tau; 0: nothing ages (yet)
  std::optional<TimePoint> origin_;  // from which arrivals count
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
