// A layer with a state for tests: to each token it gives the sum of what it has seen of the
// sequence. The sum after the last token is what it keeps.
#pragma once

#include "engine/model/block.h"
#include "engine/model/linear.h"
#include "kernels/ops/arrays.h"
#include "kernels/ops/kernel_table.h"

namespace tern {

/// y[t] = state + x[first] + … + x[t] over the rows of t's sequence, one after the other. The state
/// is that in the sequence's slot, or 0 where the rows begin with position 0; the slot holds the
/// sum of all rows afterwards.
struct RunningSum {
  static constexpr std::string_view kName = "running_sum";

  struct Args {
    MatView<const float> x;  ///< [tokens, width]
    int64_t num_seqs = 0;
    const int32_t* positions = nullptr;     ///< [tokens]
    const int32_t* cu_seqlens_q = nullptr;  ///< [num_seqs + 1]
    const int32_t* state_slots = nullptr;   ///< [num_seqs], different ones
    MatView<float> states;                  ///< [slots, width]
    MatView<float> y;                       ///< [tokens, width]; may be x itself
  };

  static void arrays(Args& a, ArrayVisitor& v) {
    v.rows(a.x);
    v.array(a.positions, a.x.rows);
    v.array(a.cu_seqlens_q, a.num_seqs + 1);
    v.array(a.state_slots, a.num_seqs);
    v.rows(a.states, Access::kUpdate);
    v.rows(a.y, Access::kWrite);
  }
};

/// Its kernels: the host's, and that of the loopback device once it was added.
const KernelTable<RunningSum>& running_sums();

/// `device` is the loopback device, open.
void add_loopback_running_sum(Device device);

/// x becomes out · sum(in · x).
struct RunningSumBlock final : Block {
  Linear in, out;
  int32_t slot_id = -1;

  void declare(CacheLayout& layout) override {
    slot_id = layout.add(CacheLayout::Slot{size_t(in.out()) * sizeof(float)});
  }
  void forward(Step& step, MatView<float> x) const override;
  void for_each_linear(const std::function<void(const Linear&)>& fn) const override {
    fn(in);
    fn(out);
  }
};

}  // namespace tern
