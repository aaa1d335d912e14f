#include "tests/engine/state/running_sum.h"

#include <dlfcn.h>

#include "base/check.h"
#include "kernels/registry.h"
#include "tests/loopback/loopback.h"
#include "tests/support/source_dir.h"

namespace tern {
namespace {

void add_rows(const RunningSum::Args& a, int64_t sequence) {
  const int32_t first = a.cu_seqlens_q[sequence], end = a.cu_seqlens_q[sequence + 1];
  float* const state = a.states.row(a.state_slots[sequence]);
  if (a.positions[first] == 0) std::fill_n(state, a.states.cols, 0.0f);
  for (int32_t row = first; row < end; ++row)
    for (int64_t k = 0; k < a.states.cols; ++k) a.y.row(row)[k] = state[k] += a.x.row(row)[k];
}

void run(const RunningSum::Args& a, const Exec&) {
  for (int64_t s = 0; s < a.num_seqs; ++s) add_rows(a, s);
}

const LoopbackAccess& loopback() {
  static const LoopbackAccess* const access = [] {
    const std::string path = plugin_folder() + "/libtern_loopback.so";
    void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    TERN_CHECK(library != nullptr, "the loopback device is open");
    using Entry = const LoopbackAccess* (*)();
    return reinterpret_cast<Entry>(dlsym(library, "tern_loopback_access"))();
  }();
  return *access;
}

class CheckArrays final : public ArrayVisitor {
 protected:
  std::byte* visit(std::byte* data, size_t bytes, Access) override {
    loopback().check(data, bytes);
    return data;
  }
};

void run_on_loopback(const RunningSum::Args& a, const Exec&) {
  RunningSum::Args args = a;
  CheckArrays check;
  RunningSum::arrays(args, check);
  loopback().run([](const void* p) { run(*static_cast<const RunningSum::Args*>(p), {}); }, &args);
}

KernelTable<RunningSum>& table() {
  static KernelTable<RunningSum> table = [] {
    KernelTable<RunningSum> host;
    host.add({.name = "loops", .run = run});
    return host;
  }();
  return table;
}

}  // namespace

const KernelTable<RunningSum>& running_sums() {
  return table();
}

void add_loopback_running_sum(Device device) {
  table().add({.name = "loopback", .device = device, .run = run_on_loopback});
}

void RunningSumBlock::forward(Step& step, MatView<float> x) const {
  const StepBatch& batch = step.batch;
  const auto scope = step.ws.scope();
  const auto sums = step.ws.mat<float>(x.rows, in.out());
  in.forward(step, x, sums);
  dispatch(running_sums(),
           {.x = read_only(sums),
            .num_seqs = batch.num_seqs(),
            .positions = batch.positions.data(),
            .cu_seqlens_q = batch.cu_seqlens_q.data(),
            .state_slots = batch.state_slots.data(),
            .states = step.states.layer<float>(slot_id),
            .y = sums},
           step.ex);
  out.forward(step, sums, x);
}

}  // namespace tern
