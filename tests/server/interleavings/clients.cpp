#include "tests/server/interleavings/clients.h"

#include <algorithm>

namespace tern {
namespace {

// A sink may call the engine from its own events; some clients have heard enough.
constexpr uint32_t kOneInCancels = 64;

/// Does what server/grpc's GenerateStream does, which adds the socket.
class StreamClient final : public Client,
                           public TokenSink,
                           public std::enable_shared_from_this<StreamClient> {
 public:
  explicit StreamClient(Service& service)
      : Client(service),
        call_(std::make_unique<Call>(service.state, Transport::kGrpc)),
        queue_(*call_, service.state.limits, service.state.streams) {}

  bool submit(const v1::GenerateRequest& request,
              const std::optional<TimePoint>& deadline) override {
    if (Client::submit(*call_, request, deadline, shared_from_this())) {
      call_.reset();
      return false;
    }
    queue_.start_with_accepted();
    is_started_ = true;
    texts_.resize(call_->request().n);
    num_finished_.resize(call_->request().n);
    return true;
  }

  void on_admitted(int32_t cached_tokens) override { queue_.add_progress(cached_tokens); }

  void on_event(TokenEvent event) override {
    expect(call_ != nullptr, "a released call hears nothing");
    if (event.finished && call_->finish(event)) {
      has_ended_ = true;
      error_ = call_->error();
    }
    queue_.add(std::move(event));
    if (is_started_ && service_.scenario.one_in(kOneInCancels)) call_->cancel();
  }

  void read() override {
    if (!call_) return;
    if (const std::optional<StreamEvent> event = queue_.take(has_ended_)) return take(*event);
    kept_up();
    if (!has_ended_) return;
    if (!has_left_) check_end(*requests_[0], texts_, error_);
    const int32_t whole = std::count(num_finished_.begin(), num_finished_.end(), 1);
    expect(has_left_ || error_ || whole == int32_t(texts_.size()),
           "each answer is told to be whole");
    call_.reset();
  }

  void leave() override {
    if (!call_) return;
    has_left_ = true;
    call_->cancel();
    queue_.drop();
    check_left();
  }

  bool is_done() const override { return !call_; }
  int num_calls() const override { return call_ ? 1 : 0; }

 private:
  void take(const StreamEvent& event) {
    expect(std::holds_alternative<RequestAccepted>(event) == !is_accepted_,
           "a stream begins with Accepted");
    is_accepted_ = true;
    if (const auto* end = std::get_if<AnswerFinished>(&event)) ++num_finished_.at(end->index);
    const auto* delta = std::get_if<AnswerDelta>(&event);
    if (!delta) return;
    expect(num_finished_.at(delta->index) == 0, "nothing comes behind Finished");
    texts_.at(delta->index) += delta->text;
  }

  std::unique_ptr<Call> call_;  // until the transport lets go
  EventQueue queue_;
  std::vector<std::string> texts_;
  std::vector<int> num_finished_;
  std::optional<ApiError> error_;
  bool is_started_ = false, is_accepted_ = false, has_ended_ = false, has_left_ = false;
};

/// Does what server/grpc's UnaryCall does.
class UnaryClient final : public Client,
                          public TokenSink,
                          public std::enable_shared_from_this<UnaryClient> {
 public:
  explicit UnaryClient(Service& service)
      : Client(service), call_(std::make_unique<Call>(service.state, Transport::kGrpc)) {}

  bool submit(const v1::GenerateRequest& request,
              const std::optional<TimePoint>& deadline) override {
    texts_.resize(request.sampling().has_n() ? request.sampling().n() : 1);
    if (!Client::submit(*call_, request, deadline, shared_from_this())) return true;
    call_.reset();
    return false;
  }

  void on_event(TokenEvent event) override {
    expect(call_ != nullptr, "a released call hears nothing");
    texts_.at(event.index) += event.text;
    if (!event.finished || !call_->finish(event)) return;
    has_ended_ = true;
    error_ = call_->error();
  }

  void read() override {
    kept_up();
    if (!call_ || !has_ended_) return;
    if (!has_left_) check_end(*requests_[0], texts_, error_);
    call_.reset();
  }

  void leave() override {
    if (!call_) return;
    has_left_ = true;
    call_->cancel();
    check_left();
  }

  bool is_done() const override { return !call_; }
  int num_calls() const override { return call_ ? 1 : 0; }

 private:
  std::unique_ptr<Call> call_;
  std::vector<std::string> texts_;
  std::optional<ApiError> error_;
  bool has_ended_ = false, has_left_ = false;
};

/// Does what server/http's Generation does, which adds the socket, with one or two prompts a
/// request.
class HttpClient final : public Client {
 public:
  using Client::Client;

  bool submit(const v1::GenerateRequest& request,
              const std::optional<TimePoint>& deadline) override {
    std::vector<v1::GenerateRequest> prompts{request};
    if (service_.scenario.one_in(3)) {
      prompts.push_back(request);
      prompts[1].set_request_id(request.request_id() + "b");
    }
    answers_.emplace();
    const auto error = answers_->submit(service_.state, prompts, /*prompt_only=*/false, deadline);
    requests_ = service_.engine.take_accepted();
    if (error) {
      leave();  // what was accepted before
      return is_live();
    }
    texts_.assign(prompts.size(), std::vector<std::string>(answers_->n()));
    return true;
  }

  void read() override {
    if (!answers_) return;
    for (const http::ChoiceDelta& delta : answers_->fetch(Seconds(0)))
      texts_.at(delta.prompt).at(delta.index) += delta.text;
    kept_up();
    if (!answers_->done()) return;
    const std::optional<ApiError> error = answers_->error();
    for (size_t i = 0; i < requests_.size(); ++i) {
      expect(!requests_[i]->is_live(), "answers end after what they wait for");
      // One error is told of all prompts.
      if (!error || !requests_[i]->failure.ok()) check_end(*requests_[i], texts_[i], error);
    }
    answers_.reset();
  }

  void leave() override {
    answers_.reset();
    check_left();
  }

  bool is_done() const override { return !answers_ && !is_live(); }
  int num_calls() const override {
    if (answers_) return answers_->num_prompts();
    return static_cast<int>(std::count_if(requests_.begin(), requests_.end(),
                                          [](const auto& known) { return known->is_live(); }));
  }

 private:
  std::optional<http::Answers> answers_;
  std::vector<std::vector<std::string>> texts_;  // by prompt and answer
};

}  // namespace

bool Client::is_live() const {
  return std::any_of(requests_.begin(), requests_.end(),
                     [](const auto& known) { return known->is_live(); });
}

std::optional<ApiError> Client::submit(Call& call, const v1::GenerateRequest& request,
                                       const std::optional<TimePoint>& deadline,
                                       std::shared_ptr<TokenSink> sink) {
  const auto convert = [&](const Engine& engine, GenerateCall* out) {
    return to_call(request, engine, service_.state.limits, out);
  };
  auto error = call.submit(convert, deadline, std::move(sink));
  requests_ = service_.engine.take_accepted();
  expect(requests_.size() == (error ? 0 : 1), "a call is refused or accepted");
  return error;
}

void Client::kept_up() {
  for (const auto& known : requests_) known->kept_up = service_.scenario.clock.now();
}

void Client::check_left() const {
  for (const auto& known : requests_)
    expect(!known->is_live() || known->is_cancelled, "nobody generates for a client that has left");
}

void Client::check_end(const Known& known, const std::vector<std::string>& texts,
                       const std::optional<ApiError>& error) const {
  expect(error.has_value() == !known.failure.ok(), "the client hears how its request has ended");
  expect(texts.size() == known.answers.size(), "as many answers as were wanted");
  for (size_t i = 0; i < texts.size(); ++i)
    expect(texts[i] == known.answers[i].text, "all that was generated reaches the client");
}

std::shared_ptr<Client> make_client(ClientKind kind, Service& service) {
  switch (kind) {
    case ClientKind::kStream:
      ++service.scenario.coverage.streams;
      return std::make_shared<StreamClient>(service);
    case ClientKind::kUnary:
      ++service.scenario.coverage.unary;
      return std::make_shared<UnaryClient>(service);
    case ClientKind::kHttp:
      ++service.scenario.coverage.http;
      return std::make_shared<HttpClient>(service);
  }
  return nullptr;
}

}  // namespace tern
