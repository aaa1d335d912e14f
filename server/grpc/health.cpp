#include "server/grpc/health.h"

#include <grpcpp/grpcpp.h>

#include <set>
#include <string>

#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace tern {
namespace {

namespace hv1 = grpc::health::v1;
using Serving = hv1::HealthCheckResponse;

bool is_known(const std::string& service) {
  return service.empty() || service == "tern.v1.Inference";
}

// One Watch call. Lives until OnDone, which takes it from `set` under its mutex.
class Watcher final : public grpc::ServerWriteReactor<Serving> {
 public:
  struct Set {
    Mutex mutex;
    std::set<Watcher*> watchers TERN_GUARDED_BY(mutex);
  };

  Watcher(Set& set, Serving::ServingStatus first)
      : set_(set), known_(first != Serving::SERVICE_UNKNOWN), next_(first) {
    advance();
  }

  // The newest status wins where one is still being written.
  void tell(Serving::ServingStatus status) {
    const MutexLock lock(mutex_);
    if (known_) next_ = status;
    advance();
  }

  void end(grpc::Status status) {
    const MutexLock lock(mutex_);
    if (std::exchange(finished_, true)) return;
    Finish(std::move(status));
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return end(grpc::Status::CANCELLED);
    const MutexLock lock(mutex_);
    busy_ = false;
    advance();
  }
  void OnCancel() override { end(grpc::Status::CANCELLED); }
  void OnDone() override {
    {
      const MutexLock lock(set_.mutex);
      set_.watchers.erase(this);
    }
    delete this;
  }

 private:
  void advance() TERN_REQUIRES(mutex_) {
    if (busy_ || finished_ || next_ == sent_) return;
    busy_ = true;
    sent_ = next_;
    message_.set_status(sent_);
    StartWrite(&message_);
  }

  Set& set_;
  const bool known_;  // the service that is watched
  Mutex mutex_;
  // While busy_, gRPC reads message_.
  Serving message_ TERN_GUARDED_BY(mutex_);
  Serving::ServingStatus next_ TERN_GUARDED_BY(mutex_);
  Serving::ServingStatus sent_ TERN_GUARDED_BY(mutex_) = Serving::UNKNOWN;
  bool busy_ TERN_GUARDED_BY(mutex_) = false;
  bool finished_ TERN_GUARDED_BY(mutex_) = false;
};

}  // namespace

class Health::Service final : public hv1::Health::CallbackService {
 public:
  grpc::ServerUnaryReactor* Check(grpc::CallbackServerContext* context,
                                  const hv1::HealthCheckRequest* request,
                                  hv1::HealthCheckResponse* response) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    if (!is_known(request->service())) {
      reactor->Finish({grpc::StatusCode::NOT_FOUND, "no service '" + request->service() + "'"});
      return reactor;
    }
    const MutexLock lock(set_.mutex);
    response->set_status(status_);
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  grpc::ServerWriteReactor<Serving>* Watch(grpc::CallbackServerContext*,
                                           const hv1::HealthCheckRequest* request) override {
    const MutexLock lock(set_.mutex);
    const bool known = is_known(request->service());
    auto* watcher = new Watcher(set_, known ? status_ : Serving::SERVICE_UNKNOWN);
    if (closed_)
      watcher->end({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
    else
      set_.watchers.insert(watcher);
    return watcher;
  }

  void set_serving(bool serving) {
    const MutexLock lock(set_.mutex);
    status_ = serving ? Serving::SERVING : Serving::NOT_SERVING;
    for (Watcher* watcher : set_.watchers) watcher->tell(status_);
  }

  void shutdown() {
    const MutexLock lock(set_.mutex);
    closed_ = true;
    for (Watcher* watcher : set_.watchers)
      watcher->end({grpc::StatusCode::UNAVAILABLE, "the server is shutting down"});
  }

 private:
  Watcher::Set set_;
  Serving::ServingStatus status_ TERN_GUARDED_BY(set_.mutex) = Serving::NOT_SERVING;
  bool closed_ TERN_GUARDED_BY(set_.mutex) = false;
};

Health::Health() : service_(std::make_unique<Service>()) {}
Health::~Health() = default;
void Health::set_serving(bool serving) {
  service_->set_serving(serving);
}
void Health::shutdown() {
  service_->shutdown();
}
grpc::Service* Health::service() {
  return service_.get();
}

}  // namespace tern
