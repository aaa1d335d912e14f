#include "kernels/cpu/tasks.h"

#include "base/thread_pool.h"

namespace tern {

void run_tasks(ThreadPool* pool, int64_t num_tasks,
               void (*fn)(const void* body, int64_t task, int thread), const void* body) {
  parallel_for(pool, num_tasks, [=](int64_t task, int thread) { fn(body, task, thread); });
}

int count_threads(const ThreadPool* pool) {
  return num_threads(pool);
}

}  // namespace tern
