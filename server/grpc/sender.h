// The threads that send what the engine has told of.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace tern {

/// gRPC takes a write as far as the socket before it returns: 64 answers would hold the next step
/// up by a millisecond. And where two threads write, one finds the connection in use, leaves its
/// message to the other, and many go out at once.
class Sender {
 public:
  class Source {
   public:
    virtual ~Source() = default;
    /// Called on one of the sender's threads, or in send_or_post().
    virtual void send() = 0;
  };

  Sender();
  /// What has been posted is still sent.
  ~Sender();

  /// Any thread; does not wait. The source's send() follows, soon and once.
  void post(std::shared_ptr<Source> source);

  /// Sends at once what someone waits for, a first token: to send it here takes less time than to
  /// wake a thread. Where many come together, only the first few are sent here, as the engine's
  /// thread calls this.
  void send_or_post(std::shared_ptr<Source> source);

 private:
  void run();

  Mutex mutex_;
  CondVar wake_;
  std::vector<std::shared_ptr<Source>> posted_ TERN_GUARDED_BY(mutex_);
  size_t num_idle_ TERN_GUARDED_BY(mutex_);
  // Counts what send_or_post() sent since posted_ was last found empty.
  int num_sent_here_ TERN_GUARDED_BY(mutex_) = 0;
  bool stopping_ TERN_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // last: they use the above
};

}  // namespace tern
