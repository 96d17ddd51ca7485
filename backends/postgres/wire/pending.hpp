#pragma once

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "backends/postgres/wire/query.hpp"

namespace backends::postgres {

/// Receives rows of a streamed statement as they come; true: hold the rest up until the
/// connection's `resume`.
using RowTaker = std::function<bool(const Rows& rows)>;

/// A result, and the coroutine that waits for it. Its address is what the coroutine knows, so that
/// it never moves.
struct Awaited {
  QueryResult result;
  std::coroutine_handle<> waiting;
};

/// What was sent to a server and is not answered, by kinds.
namespace pending {
/// The session's settings, before all else.
struct Settings : Awaited {};
/// A statement with a Sync of its own, or alone on its connection.
struct Single : Awaited {
  RowTaker taker;         ///< null: its rows are the result's
  std::string preparing;  ///< the name that the first of two results is for; empty: none
  std::size_t ends = 1;   ///< of commands that are due before the Sync
};
/// A statement that changes nothing and shares its Sync with others.
struct Read : Awaited {
  std::string preparing;   ///< as above
  std::size_t ends = 1;    ///< of commands that are due before it is over
  bool sent = false;       ///< false: the connection keeps it back
  bool unchecked = false;  ///< what it goes by is looked at by a read after it, which may fail it
};
/// The Sync of the reads before it.
struct EndOfReads {};
/// Any number of statements in the simple protocol.
struct Script : Awaited {
  RowTaker taker;
};
/// Statements of one transaction, in one round trip.
struct Several {
  std::coroutine_handle<> waiting;
  std::vector<QueryResult> results;
  std::size_t step = 0;  ///< of which results come now
  /// Those that are left, each the name that it prepares or, if it is a step, empty.
  std::deque<std::string> commands;
};
}  // namespace pending

struct Pending {
  using Kind = std::variant<pending::Settings, pending::Single, pending::Read, pending::EndOfReads,
                            pending::Script, pending::Several>;
  explicit Pending(Kind what) : kind(std::move(what)) {}

  Kind kind;
  std::optional<std::uint32_t> affinity;  ///< the vnode that it is of
  std::chrono::steady_clock::time_point sent;
  std::unique_ptr<Pending> next;  ///< in a chain of those that are answered
};

}  // namespace backends::postgres
