// Runs the program of a chat template, within bounds.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/calls.h"
#include "engine/text/jinja/loop.h"

namespace tern::jinja {

// A rendering that exceeds one of these is refused. Real templates stay far below with prompts of
// millions of characters; a hostile one is stopped within seconds.
inline constexpr int64_t kMaxSteps = 5'000'000;
inline constexpr size_t kMaxTotalBytes = size_t(1) << 30;  // of all values ever made
inline constexpr int kMaxRecursion = 600;                  // nodes of the program that are running

/// The variables of the template itself, or of a loop, a block or a macro that is running.
struct Scope {
  Variables variables;
  Scope* parent = nullptr;
  bool captured = false;  ///< by a macro, which may be called after the scope has ended
};

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

  /// Charges for a text of `bytes` that is about to be made: kInvalidArgument also where a string
  /// may not have as many.
  Status charge_string(size_t bytes);

  /// Charges for a text of `size` bytes that grows by `added`.
  Status charge_growth(size_t size, size_t added);

  /// Counts a walk over all of `value`.
  Status charge_walk(const Value& value) {
    return charge(0, 1 + int64_t(value.weight() >> (value.is_string() ? 8 : 10)));
  }

  /// From here on the failure is the template's own, and its message is left as it is.
  void set_raised() { raised_ = true; }

  // Values whose size is charged.
  Result<Value> string(std::string text);
  Result<Value> string(String text);
  Result<Value> list(std::vector<Value> items, List::Kind kind = List::Kind::kList);

  // What lives as long as this.
  Namespace* new_namespace() { return &namespaces_.emplace_back(); }
  Cycler* new_cycler() { return &cyclers_.emplace_back(); }
  Joiner* new_joiner() { return &joiners_.emplace_back(); }

  const Value* find_variable(const std::string& name) const;

  /// Whether `value` is another one than at the loop's last call: `loop.changed`.
  bool loop_changed(const Loop& loop, Value value);

 private:
  enum class Flow { kNormal, kBreak, kContinue };

  // Statements
  Result<Flow> run_body(const Body& body);
  Result<Flow> run_statement(const Stmt& stmt);
  Result<Flow> run_if(const Stmt& stmt);
  Result<Flow> run_for(const Stmt& stmt);
  Result<Flow> run_loop(const Stmt& stmt, const Value& items, int64_t depth0);
  Result<Flow> run_scope(const Body& body, Scope* scope);
  Result<Flow> run_with(const Stmt& stmt);
  Result<Iterator> filtered(const Stmt& stmt, const Value& items);
  Status run_set_block(const Stmt& stmt);
  Status run_filter_block(const Stmt& stmt);
  Status run_call_block(const Stmt& stmt);
  Status assign(const Expr& target, const Value& value);
  Status assign_attribute(const Expr& target, const Value& value);
  Status print(std::string_view text);
  Status print(const Value& value, int line);
  Result<Value> capture(const Body& body, Scope* scope);
  Result<Value> call_macro(const Closure& closure, const CallArgs& args);
  Status bind_macro(const Macro& macro, const CallArgs& args, Scope& scope);
  Status bind_rest(const Macro& macro, CallArgs rest, Scope& scope);
  Result<Value> call_loop(const Loop& loop, const CallArgs& args);

  // Scopes are used again unless a macro has captured them.
  Result<Scope*> new_scope(Scope* parent);
  void end_scope(Scope* scope);
  Result<Value> new_closure(const Macro& macro);

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
  Result<Value> evaluate_call(const Expr& expr, const Value* caller);
  Status evaluate_stars(const Expr& expr, CallArgs& args);
  Result<Value> evaluate_dict(const Expr& expr);
  Result<Value> evaluate_slice(const Expr& expr);
  Result<Value> evaluate_unary(const Expr& expr);
  Result<Value> evaluate_binary(const Expr& expr);
  Result<Value> evaluate_compare(const Expr& expr);
  Result<Value> evaluate_conditional(const Expr& expr);

  Variables globals_;
  std::deque<Namespace> namespaces_;
  std::deque<Cycler> cyclers_;
  std::deque<Joiner> joiners_;
  std::deque<Closure> closures_;
  std::deque<Scope> scopes_;
  std::vector<Scope*> free_scopes_;
  Scope* root_ = nullptr;   // the template's own variables
  Scope* scope_ = nullptr;  // of what is running
  std::unordered_map<const Loop*, Value> changed_;
  std::string block_text_;  // what a block printed, while its filters run
  std::string* out_ = nullptr;
  int64_t steps_ = 0;
  size_t bytes_ = 0;
  int recursion_ = 0;
  bool raised_ = false;
};

}  // namespace tern::jinja
