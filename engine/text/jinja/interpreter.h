// Runs the program of a chat template, within bounds.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/calls.h"

namespace tern::jinja {

// A rendering that exceeds one of these is refused. Real templates stay far below with prompts of
// millions of characters; a hostile one is stopped within seconds.
inline constexpr int64_t kMaxSteps = 5'000'000;
inline constexpr size_t kMaxStringBytes = size_t(64) << 20;  // of one string, and of the output
inline constexpr size_t kMaxTotalBytes = size_t(1) << 30;    // of all values ever made
inline constexpr int kMaxRecursion = 600;  // nodes of the program that are running

using Variables = std::unordered_map<std::string, Value>;

/// One rendering. One thread.
class Interpreter {
 public:
  explicit Interpreter(Variables globals) : globals_(std::move(globals)) {}

  /// The text that `program` prints.
  Result<std::string> run(const Body& program);

  /// Calls a macro, function or method.
  Result<Value> call(const Value& callee, const CallArgs& args);

  /// Filters and tests by name, as `map` and `select` need them. The names come from the template.
  Result<Value> filter(const std::string& name, const Value& value, const CallArgs& args);
  Result<bool> test(const std::string& name, const Value& value, const CallArgs& args);

  /// Counts `bytes` as made, and `steps` as taken. kInvalidArgument over the limits.
  Status charge(size_t bytes, int64_t steps = 1);

  /// Counts a walk over all of `value`.
  Status charge_walk(const Value& value) { return charge(0, 1 + int64_t(value.weight() >> 10)); }

  /// From here on the failure is the template's own, and its message is left as it is.
  void set_raised() { raised_ = true; }

  // Values whose size is charged.
  Result<Value> string(std::string text);
  Result<Value> list(std::vector<Value> items, List::Kind kind = List::Kind::kList);

  /// An empty namespace, which lives as long as this.
  Namespace* new_namespace() { return &namespaces_.emplace_back(); }

  const Value* find_variable(const std::string& name) const;

 private:
  enum class Flow { kNormal, kBreak, kContinue };

  // Statements
  Result<Flow> run_body(const Body& body);
  Result<Flow> run_statement(const Stmt& stmt);
  Result<Flow> run_if(const Stmt& stmt);
  Result<Flow> run_for(const Stmt& stmt);
  Result<std::vector<Value>> loop_items(const Stmt& stmt);
  Status run_set_block(const Stmt& stmt);
  Status run_filter_block(const Stmt& stmt);
  Status assign(const Expr& target, const Value& value);
  Status print(std::string_view text);
  Result<Value> capture(const Body& body, Variables variables);
  Result<Value> call_macro(const Macro& macro, const CallArgs& args);
  Result<Variables> bind_macro(const Macro& macro, const CallArgs& args);

  /// Around what may recurse. A failure ends the rendering, so it need not leave.
  Status enter();
  void leave() { --recursion_; }

  /// The failure with its line in front, unless it has one.
  Status located(const Status& status, int line) const;

  // Expressions
  Result<Value> evaluate(const Expr& expr);
  Result<Value> evaluate_node(const Expr& expr);
  Result<Value> evaluate_name(const Expr& expr) const;
  Result<std::vector<Value>> evaluate_all(const std::vector<ExprPtr>& exprs, size_t first);
  Result<CallArgs> evaluate_arguments(const Expr& expr);
  Result<Value> evaluate_dict(const Expr& expr);
  Result<Value> evaluate_slice(const Expr& expr);
  Result<Value> evaluate_unary(const Expr& expr);
  Result<Value> evaluate_binary(const Expr& expr);
  Result<Value> evaluate_compare(const Expr& expr);
  Result<Value> evaluate_conditional(const Expr& expr);

  Variables globals_;
  std::deque<Namespace> namespaces_;
  // The template's own variables, then those of each loop, block and macro that is running. From
  // base_ on they belong to the macro that is running, which sees no others but the first.
  std::vector<Variables> scopes_;
  size_t base_ = 0;
  std::string block_text_;  // what a block printed, while its filters run
  std::string* out_ = nullptr;
  int64_t steps_ = 0;
  size_t bytes_ = 0;
  int recursion_ = 0;
  bool raised_ = false;
};

}  // namespace tern::jinja
