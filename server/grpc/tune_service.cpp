// tern.v1.Tune: its messages are settled, nothing here trains yet.
#include "server/grpc/services.h"
#include "server/grpc/wire.h"
#include "tern/v1/tune.grpc.pb.h"

namespace tern {
namespace {

using Context = grpc::CallbackServerContext;
using Buffer = grpc::ByteBuffer;
using Reactor = grpc::ServerUnaryReactor;
using Rpc = v1::Tune;

using Base = Rpc::WithRawCallbackMethod_CreateJob<Rpc::WithRawCallbackMethod_WatchJob<
    Rpc::WithRawCallbackMethod_PauseJob<Rpc::WithRawCallbackMethod_ResumeJob<
        Rpc::WithRawCallbackMethod_PublishAdapter<Rpc::CallbackService>>>>>;

constexpr const char* kWhat = "fine-tuning";

class TuneService final : public Base {
 public:
  grpc::ServerWriteReactor<Buffer>* WatchJob(Context*, const Buffer*) override {
    return refuse_stream(kWhat);
  }
  Reactor* CreateJob(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, kWhat);
  }
  Reactor* PauseJob(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, kWhat);
  }
  Reactor* ResumeJob(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, kWhat);
  }
  Reactor* PublishAdapter(Context* context, const Buffer*, Buffer*) override {
    return refuse(context, kWhat);
  }
};

}  // namespace

std::unique_ptr<grpc::Service> make_tune_service() {
  return std::make_unique<TuneService>();
}

}  // namespace tern
