// What the bodies share before they know their instruction set. Everything in an ISA file but its
// table has internal linkage: see cpu_kernels.h.
#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "kernels/cpu/cpu_kernels.h"
#include "kernels/cpu/tasks.h"

#define TERN_INLINE inline __attribute__((always_inline))

namespace tern {
namespace {

/// Lanes of a Vec, whatever the width of the machine's registers: one arithmetic for all.
constexpr int64_t kLanes = 16;
static_assert(kLanes == kPanelRows);

/// Where in a 16-bit number of a block of codes (formats/code_panels.h) part `part` of the columns
/// begins, part after part two neighbours: of 4 bits the first four columns are the low halves.
template <int kBits>
constexpr int part_shift(int part) {
  return kBits == 16 ? 0 : kBits == 8 ? 8 * part : part % 2 * 8 + part / 2 * 4;
}

TERN_INLINE int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}
TERN_INLINE int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}
TERN_INLINE int64_t ceil_div64(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

template <bool kFirst, class A, class B>
struct SelectType {
  using Type = A;
};
template <class A, class B>
struct SelectType<false, A, B> {
  using Type = B;
};
/// A or B: std::conditional_t, whose header stays out of these files.
template <bool kFirst, class A, class B>
using Select = typename SelectType<kFirst, A, B>::Type;

/// body(task, thread) for every task in [0, num_tasks).
template <class Body>
void for_tasks(ThreadPool* pool, int64_t num_tasks, const Body& body) {
  run_tasks(
      pool, num_tasks,
      [](const void* b, int64_t task, int thread) { (*static_cast<const Body*>(b))(task, thread); },
      &body);
}

/// body(row) for every row in [0, rows), in tasks that are worth handing over. `row_cost` is in
/// units of one element that is loaded, added and stored.
template <class Body>
void for_rows(const Exec& ex, int64_t rows, int64_t row_cost, const Body& body) {
  constexpr int64_t kTaskCost = 16384;  // ~2 us: several times a hand-over
  const int64_t rows_per_task = max64(1, kTaskCost / max64(1, row_cost));
  for_tasks(ex.pool, ceil_div64(rows, rows_per_task), [&](int64_t task, int) {
    const int64_t end = min64(rows, (task + 1) * rows_per_task);
    for (int64_t row = task * rows_per_task; row < end; ++row) body(row);
  });
}

}  // namespace
}  // namespace tern
