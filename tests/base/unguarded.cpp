// What clang must refuse: a guarded field that is touched without its mutex. Compiled by the test
// "fault: guarded field without its mutex" alone.
#include "base/mutex.h"

namespace tern {

class Counter {
 public:
  void add() {
    const MutexLock lock(mutex_);
    ++count_;
  }
  int count() const { return count_; }  // the fault

 private:
  Mutex mutex_;
  int count_ TERN_GUARDED_BY(mutex_) = 0;
};

}  // namespace tern
