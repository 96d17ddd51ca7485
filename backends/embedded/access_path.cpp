#include "backends/embedded/access_path.hpp"

#include <optional>

namespace backends::embedded {
namespace {

using objects::Condition;

std::optional<AccessPath> narrowed(const Table& table, const Condition& condition) {
  if (condition.kind == Condition::Kind::conjunction) {
    std::optional<AccessPath> best;
    for (const Condition& child : condition.children) {
      const auto path = narrowed(table, child);
      if (path && (!best || path->prefix.size() > best->prefix.size() || path->exact)) best = path;
    }
    return best;
  }
  if (condition.target.internal != objects::Target::Internal::key) return std::nullopt;
  if (condition.kind == Condition::Kind::equal)
    return AccessPath{table.key_of(std::get<std::string>(*condition.value)), true};
  if (condition.kind == Condition::Kind::substring)
    return AccessPath{table.key_of(condition.filter.initial), false};
  return std::nullopt;
}

}  // namespace

AccessPath access_path(const Table& table, const Condition& condition) {
  return narrowed(table, condition).value_or(AccessPath{keys::rows(table.id), false});
}

}  // namespace backends::embedded
