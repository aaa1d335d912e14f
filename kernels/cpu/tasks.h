// The door of the ISA files to the thread pool: compiled for every CPU, so that no standard
// header's inline function is ever emitted with wider instructions.
#pragma once

#include <cstdint>

namespace tern {

class ThreadPool;

/// fn(body, task, thread) for every task in [0, num_tasks), on `pool` or, where it is null, here.
void run_tasks(ThreadPool* pool, int64_t num_tasks,
               void (*fn)(const void* body, int64_t task, int thread), const void* body);

/// Threads that may call `fn`; 1 where `pool` is null.
int count_threads(const ThreadPool* pool);

}  // namespace tern
