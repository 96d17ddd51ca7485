#pragma once

#include <string>
#include <string_view>

namespace backends::postgres {

/// A name as PostgreSQL folds it, quoted: keywords do no harm.
std::string identifier(std::string_view name);
/// A text as an SQL literal, whatever the session's `standard_conforming_strings`. For texts of
/// this program's own, in places that take no parameters; what comes from data goes as a parameter.
std::string literal(std::string_view text);

/// A table's, an index's or a sequence's name as a statement takes it: with its schema, and quoted.
/// Only a server makes one (`format('%I.%I', …)`), or `named`; so that no text that came from
/// somewhere else is taken for a name.
class Relation {
 public:
  Relation() = default;
  /// `quoted`: as a server has quoted it.
  static Relation quoted_by_server(std::string quoted) { return Relation(std::move(quoted)); }
  /// Without a schema: the first of this name in the session's search_path.
  static Relation named(std::string_view name) { return Relation(identifier(name)); }

  [[nodiscard]] const std::string& sql() const { return sql_; }
  [[nodiscard]] bool empty() const { return sql_.empty(); }
  bool operator==(const Relation&) const = default;
  auto operator<=>(const Relation&) const = default;

  friend std::string operator+(const std::string& before, const Relation& name) {
    return before + name.sql_;
  }
  friend std::string operator+(const Relation& name, const std::string& after) {
    return name.sql_ + after;
  }

 private:
  explicit Relation(std::string sql) : sql_(std::move(sql)) {}
  std::string sql_;
};

}  // namespace backends::postgres
