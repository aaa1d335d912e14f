#include "engine/text/jinja/ast.h"

#include <algorithm>

namespace tern::jinja {
namespace {

class NameFinder {
 public:
  explicit NameFinder(std::string_view name) : name_(name) {}

  bool in(const Body& body) const {
    return std::any_of(body.begin(), body.end(), [&](const auto& stmt) { return in(*stmt); });
  }

 private:
  bool in(const ExprPtr& expr) const { return expr && in(*expr); }

  bool in(const Expr& expr) const {
    const auto is_in = [&](const auto& argument) { return in(argument.second); };
    return (expr.kind == Expr::Kind::kName && expr.name == name_) || in(expr.star) ||
           in(expr.double_star) ||
           std::any_of(expr.children.begin(), expr.children.end(),
                       [&](const ExprPtr& child) { return in(child); }) ||
           std::any_of(expr.named.begin(), expr.named.end(), is_in);
  }

  bool in(const Macro& macro) const {
    return in(macro.body) ||
           std::any_of(macro.parameters.begin(), macro.parameters.end(),
                       [&](const auto& parameter) { return in(parameter.otherwise); });
  }

  // What a statement assigns to is not read.
  bool in(const Stmt& stmt) const {
    const auto is_value = [&](const auto& assignment) { return in(assignment.second); };
    const auto is_branch = [&](const Stmt::Branch& branch) {
      return in(branch.condition) || in(branch.body);
    };
    return in(stmt.expr) || in(stmt.condition) || in(stmt.body) || in(stmt.otherwise) ||
           (stmt.macro && in(*stmt.macro)) ||
           std::any_of(stmt.assignments.begin(), stmt.assignments.end(), is_value) ||
           std::any_of(stmt.branches.begin(), stmt.branches.end(), is_branch);
  }

  std::string_view name_;
};

}  // namespace

bool reads_variable(const Body& program, std::string_view name) {
  return NameFinder(name).in(program);
}

}  // namespace tern::jinja
