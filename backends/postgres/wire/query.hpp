#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

namespace backends::postgres {

/// A statement's text; prepared once on each connection where it has a name. Names are unique to
/// their texts.
struct Statement {
  std::string name;  ///< empty: not worth preparing
  std::string sql;
};

/// A statement that is not prepared.
inline Statement once(std::string sql) { return {"", std::move(sql)}; }

/// Values in PostgreSQL's text form; nullopt: NULL.
using Parameters = std::vector<std::optional<std::string>>;

/// Made by a function and not by a list: g++ 12 breaks lists inside coroutines.
template <typename... Values>
Parameters parameters_of(Values... values) {
  Parameters parameters;
  (parameters.emplace_back(std::move(values)), ...);
  return parameters;
}

/// A statement and its values. The statement is somebody else's, who keeps it as long (a bucket's
/// shapes: their texts are long, and never copied), or this step's own.
class Step {
 public:
  Step() = default;
  Step(const Statement& shape, Parameters values) : parameters(std::move(values)), shape_(&shape) {}
  Step(Statement&& made, Parameters values)
      : parameters(std::move(values)), made_(std::make_shared<const Statement>(std::move(made))) {}
  [[nodiscard]] const Statement& statement() const { return shape_ != nullptr ? *shape_ : *made_; }
  void use(const Statement& shape) { shape_ = &shape; }

  Parameters parameters;

 private:
  const Statement* shape_ = nullptr;
  std::shared_ptr<const Statement> made_;
};

/// What the server, or the connection, made of a statement instead of rows.
struct QueryError {
  std::string sqlstate;  ///< empty: the connection was lost, and nobody knows what became of it
  std::string message;   ///< in the server's language, as its detail
  std::string detail;
  std::chrono::milliseconds took{};  ///< from when it was sent
  [[nodiscard]] bool lost() const { return sqlstate.empty(); }
  /// Not run, because a statement before it in its transaction failed.
  [[nodiscard]] bool skipped() const { return sqlstate == "25P02"; }
};

/// libpq's messages end with line feeds, and have some inside.
std::string one_line(const char* text);

/// Rows as they came. Movable; frees libpq's memory.
class Rows {
 public:
  Rows() = default;
  explicit Rows(PGresult* result) : result_(result) {}

  [[nodiscard]] int count() const { return result_ ? PQntuples(result_.get()) : 0; }
  [[nodiscard]] int columns() const { return result_ ? PQnfields(result_.get()) : 0; }
  [[nodiscard]] bool null(int row, int column) const {
    return PQgetisnull(result_.get(), row, column) != 0;
  }
  [[nodiscard]] std::string_view text(int row, int column) const {
    return {PQgetvalue(result_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
  }
  [[nodiscard]] std::string string(int row, int column) const {
    return std::string(text(row, column));
  }
  [[nodiscard]] std::optional<std::string> value(int row, int column) const {
    if (null(row, column)) return std::nullopt;
    return std::string(text(row, column));
  }
  [[nodiscard]] std::string_view name(int column) const { return PQfname(result_.get(), column); }
  [[nodiscard]] Oid type(int column) const { return PQftype(result_.get(), column); }
  /// What they take.
  [[nodiscard]] std::size_t bytes() const {
    return result_ ? PQresultMemorySize(result_.get()) : 0;
  }
  /// Rows that an INSERT, UPDATE or DELETE touched.
  [[nodiscard]] std::string_view affected() const {
    return result_ ? PQcmdTuples(result_.get()) : "";
  }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

/// A statement's end.
struct QueryResult {
  Rows rows;  ///< the last result's; empty where rows were streamed
  std::optional<QueryError> error;
  /// The server has said that it has committed; an error may have come after that.
  bool committed = false;
  explicit operator bool() const { return !error.has_value(); }
};

}  // namespace backends::postgres
