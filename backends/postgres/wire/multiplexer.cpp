#include "backends/postgres/wire/multiplexer.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace backends::postgres {
namespace {

std::string field(const PGresult* result, int code) {
  const char* text = PQresultErrorField(result, code);
  return text == nullptr ? "" : text;
}

QueryError skipped() { return {"25P02", "an earlier statement failed", ""}; }

QueryError no_copy() { return {kNotServed, "COPY to or from a client is not served by sql", ""}; }

/// Every status by its name: what libpq repeats until somebody deals with it would keep the worker
/// here for ever.
enum class Came : std::uint8_t { command, row, rows, sync, aborted, copy, error };

Came came(const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_EMPTY_QUERY:  // nothing but comments
    case PGRES_COMMAND_OK: return Came::command;
    case PGRES_SINGLE_TUPLE: return Came::row;
    case PGRES_TUPLES_OK: return Came::rows;
    case PGRES_PIPELINE_SYNC: return Came::sync;
    case PGRES_PIPELINE_ABORTED: return Came::aborted;
    case PGRES_COPY_OUT:
    case PGRES_COPY_IN:
    case PGRES_COPY_BOTH: return Came::copy;
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR:
    case PGRES_FATAL_ERROR: return Came::error;
  }
  return Came::error;  // of a libpq that is newer than this
}

void append(std::unique_ptr<Pending>& chain, std::unique_ptr<Pending> last) {
  std::unique_ptr<Pending>* end = &chain;
  while (*end != nullptr) end = &(*end)->next;
  *end = std::move(last);
}

/// Where the server had given its verdict, that is the answer.
void lost(QueryResult& result, const std::string& problem) {
  result.rows = Rows();
  if (!result.error || result.error->lost()) result.error = QueryError{"", problem, "", {}};
}

}  // namespace

Pending& Multiplexer::add(std::unique_ptr<Pending> pending) {
  queue_.push_back(std::move(pending));
  return *queue_.back();
}

bool Multiplexer::due() const {
  if (queue_.empty()) return false;
  const auto* read = std::get_if<pending::Read>(&queue_.front()->kind);
  return read == nullptr || read->sent;
}

bool Multiplexer::carries(std::uint32_t affinity) const {
  return std::any_of(queue_.begin(), queue_.end(),
                     [&](const auto& pending) { return pending->affinity == affinity; });
}

Multiplexer::Prepared Multiplexer::prepared(const Statement& statement) {
  if (epoch_ > 0) renamed_ = statement.name + "e" + std::to_string(epoch_);
  const std::string& name = epoch_ > 0 ? renamed_ : statement.name;
  return {&name, prepared_.insert(name).second};
}

/// Of the first, where it is in a pipeline, so that a Sync ends it; else nullopt.
std::optional<std::size_t> Multiplexer::commands_left() const {
  const Pending& front = *queue_.front();
  if (const auto* single = std::get_if<pending::Single>(&front.kind))
    return mode_ == Mode::pipeline ? std::optional(single->ends) : std::nullopt;
  if (const auto* read = std::get_if<pending::Read>(&front.kind)) return read->ends;
  if (const auto* several = std::get_if<pending::Several>(&front.kind))
    return several->commands.size();
  if (std::holds_alternative<pending::EndOfReads>(front.kind)) return 0;
  return std::nullopt;
}

/// In a pipeline libpq gives each command one result and then null, and each Sync one result with
/// no null after it. The Sync itself may fail before that, as the COMMIT that it is. A statement
/// that is alone on its connection has results, any number, and then null.
bool Multiplexer::fits(const PGresult* result) const {
  const auto left = commands_left();
  if (!left) return result != nullptr || heard_;
  if (result == nullptr) return midway_;
  if (midway_) return false;
  switch (came(result)) {
    case Came::sync: return *left == 0;
    case Came::error: return true;
    case Came::command:
    case Came::row:
    case Came::rows:
    case Came::aborted:
    case Came::copy: return *left > 0;
  }
  return false;
}

std::string Multiplexer::unexpected(const PGresult* result) const {
  static constexpr const char* kKinds[] = {"settings",         "a statement", "a read",
                                           "the end of reads", "a script",    "several statements"};
  static_assert(std::size(kKinds) == std::variant_size_v<Pending::Kind>);
  const auto left = commands_left();
  return std::string(result == nullptr ? "an end" : PQresStatus(PQresultStatus(result))) + " for " +
         kKinds[queue_.front()->kind.index()] +
         ", commands left: " + (left ? std::to_string(*left) : "one") + (midway_ ? ", midway" : "");
}

Multiplexer::Outcome Multiplexer::take(PGresult* result) {
  if (!fits(result)) {
    Outcome outcome;
    outcome.unexpected = unexpected(result);
    PQclear(result);
    return outcome;
  }
  const Came what = result == nullptr ? Came::sync : came(result);
  heard_ = what != Came::sync;
  midway_ = heard_ && commands_left() && what != Came::row;
  return std::visit([&](auto& front) { return take_of(front, result); }, queue_.front()->kind);
}

Multiplexer::Outcome Multiplexer::take_of(pending::Settings& front, PGresult* result) {
  if (result == nullptr) return finish();
  return take_rows(front, nullptr, result);
}

Multiplexer::Outcome Multiplexer::take_of(pending::Single& front, PGresult* result) {
  if (result == nullptr) {
    if (mode_ == Mode::single) return finish();
    if (front.ends > 0) --front.ends;  // its Sync follows
    return {};
  }
  switch (came(result)) {
    case Came::sync: PQclear(result); return finish();
    case Came::command:
      if (front.preparing.empty()) break;
      front.preparing.clear();
      PQclear(result);
      return {};
    case Came::aborted:
    case Came::error: failed_to_prepare(front.preparing); break;
    case Came::row:
    case Came::rows:
    case Came::copy: break;
  }
  return take_rows(front, front.taker, result);
}

Multiplexer::Outcome Multiplexer::take_of(pending::Read& front, PGresult* result) {
  // A statement's result stands even where a later one of its group fails.
  if (result == nullptr) return --front.ends == 0 ? finish() : Outcome();
  const Came what = came(result);
  if (what == Came::command && !front.preparing.empty()) {
    front.preparing.clear();
    PQclear(result);
    return {};
  }
  if (what == Came::aborted || what == Came::error) failed_to_prepare(front.preparing);
  return take_rows(front, nullptr, result);
}

Multiplexer::Outcome Multiplexer::take_of(pending::EndOfReads&, PGresult* result) {
  const bool ends = result != nullptr && came(result) == Came::sync;
  PQclear(result);
  return ends ? finish() : Outcome();
}

Multiplexer::Outcome Multiplexer::take_of(pending::Script& front, PGresult* result) {
  if (result == nullptr) return finish();
  if (came(result) == Came::command && !front.result.error &&
      std::string_view(PQcmdStatus(result)) == "LISTEN")
    front.result.error =
        QueryError{kNotServed, "LISTEN by sql is not served: nobody would hear; use listen", ""};
  return take_rows(front, front.taker, result);
}

Multiplexer::Outcome Multiplexer::take_of(pending::Several& front, PGresult* result) {
  if (result == nullptr) {
    if (front.commands.empty()) return {};
    if (front.commands.front().empty()) ++front.step;
    front.commands.pop_front();
    return {};
  }
  const Came what = came(result);
  if (what == Came::sync) {
    PQclear(result);
    Outcome outcome = finish();
    outcome.left_pipeline = mode_ == Mode::single;
    return outcome;
  }
  Rows rows(result);
  QueryResult& step = front.results[std::min(front.step, front.results.size() - 1)];
  const bool preparing = !front.commands.empty() && !front.commands.front().empty();
  switch (what) {
    case Came::copy: {
      for (QueryResult& each : front.results)
        if (!each.error) each.error = no_copy();
      Outcome outcome;
      outcome.refused = no_copy().message;
      return outcome;
    }
    case Came::sync:
    case Came::command:
    case Came::rows:
    case Came::row:  // a pipeline's first command is still in the mode of what was streamed before
      if (!preparing && step.rows.count() == 0) step.rows = std::move(rows);
      return {};
    case Came::aborted:
      if (!step.error) step.error = skipped();
      break;
    case Came::error:
      if (!step.error) step.error = error_of(result);
      break;
  }
  if (preparing) prepared_.erase(front.commands.front());
  return {};
}

/// A result, for a statement of any kind that waits for one.
Multiplexer::Outcome Multiplexer::take_rows(Awaited& front, const RowTaker& taker,
                                            PGresult* result) {
  Outcome outcome;
  Rows rows(result);
  switch (came(result)) {
    case Came::row:
      if (taker && !front.result.error) outcome.held = taker(rows);
      break;
    case Came::rows:
      if (taker && rows.count() > 0 && !front.result.error)
        outcome.held = taker(rows);  // a script's, in the simple protocol
      else
        front.result.rows = std::move(rows);
      break;
    case Came::command:
      front.result.committed = std::string_view(PQcmdStatus(result)) == "COMMIT";
      front.result.rows = std::move(rows);
      break;
    case Came::sync: break;
    case Came::copy: return refuse_copy(front);
    case Came::aborted:
      if (!front.result.error) front.result.error = skipped();
      break;
    case Came::error:
      if (!front.result.error) front.result.error = error_of(result);
      break;
  }
  return outcome;
}

/// Its transaction ends with the connection, so that nothing of it is done.
Multiplexer::Outcome Multiplexer::refuse_copy(Awaited& front) {
  Outcome outcome;
  outcome.refused = no_copy().message;
  if (!front.result.error) front.result.error = no_copy();
  return outcome;
}

void Multiplexer::failed_to_prepare(std::string& preparing) {
  if (!preparing.empty()) prepared_.erase(std::exchange(preparing, ""));
}

/// The server refuses a prepared statement whose columns have changed their types, for ever: all
/// are prepared anew.
QueryError Multiplexer::error_of(const PGresult* result) {
  QueryError error{field(result, PG_DIAG_SQLSTATE), field(result, PG_DIAG_MESSAGE_PRIMARY),
                   field(result, PG_DIAG_MESSAGE_DETAIL)};
  if (error.lost() && error.message.empty()) error.message = one_line(PQresultErrorMessage(result));
  error.took = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - queue_.front()->sent);
  if (error.sqlstate == "0A000" || error.sqlstate == "26000") {
    ++epoch_;
    prepared_.clear();
  }
  return error;
}

std::unique_ptr<Pending> Multiplexer::pop() {
  std::unique_ptr<Pending> front = std::move(queue_.front());
  queue_.pop_front();
  return front;
}

Multiplexer::Outcome Multiplexer::finish() {
  Outcome outcome;
  std::unique_ptr<Pending> front = pop();
  const auto* read = std::get_if<pending::Read>(&front->kind);
  if (read == nullptr)
    outcome.done = std::move(front);
  else if (read->unchecked && !read->result.error)
    outcome.done = keep(std::move(front));
  else if (read->unchecked)  // the check will be skipped, and those before it fail by that
    outcome.done = std::move(front);
  else
    outcome.done = decide(std::move(front));
  return outcome;
}

/// Until its check. Null, or itself: there is no room for it, so that it is run alone.
std::unique_ptr<Pending> Multiplexer::keep(std::unique_ptr<Pending> answered) {
  QueryResult& result = std::get<pending::Read>(answered->kind).result;
  const std::size_t bytes = result.rows.bytes();
  if (unchecked_bytes_ + bytes <= unchecked_bytes_most_) {
    unchecked_bytes_ += bytes;
    unchecked_.push_back(std::move(answered));
    return nullptr;
  }
  result.rows = Rows();
  result.error = skipped();
  return answered;
}

/// Its statement has looked, no earlier than those of the reads before it, at what they go by.
/// Where it failed, nothing is known of them: they are run alone.
std::unique_ptr<Pending> Multiplexer::decide(std::unique_ptr<Pending> check) {
  if (unchecked_.empty()) return check;
  const bool failed = std::get<pending::Read>(check->kind).result.error.has_value();
  std::unique_ptr<Pending> chain;
  for (auto each = unchecked_.rbegin(); each != unchecked_.rend(); ++each) {
    if (failed) {
      QueryResult& result = std::get<pending::Read>((*each)->kind).result;
      result.rows = Rows();
      result.error = skipped();
    }
    (*each)->next = std::move(chain);
    chain = std::move(*each);
  }
  unchecked_.clear();
  unchecked_bytes_ = 0;
  append(chain, std::move(check));
  return chain;
}

std::unique_ptr<Pending> Multiplexer::lose(const std::string& problem) {
  std::unique_ptr<Pending> chain;
  for (; !queue_.empty(); queue_.pop_back()) {
    queue_.back()->next = std::move(chain);
    chain = std::move(queue_.back());
  }
  for (; !unchecked_.empty(); unchecked_.pop_back()) {
    unchecked_.back()->next = std::move(chain);
    chain = std::move(unchecked_.back());
  }
  unchecked_bytes_ = 0;
  for (Pending* each = chain.get(); each != nullptr; each = each->next.get())
    std::visit(
        [&](auto& kind) {
          using Kind = std::decay_t<decltype(kind)>;
          if constexpr (std::is_base_of_v<Awaited, Kind>) {
            lost(kind.result, problem);
          } else if constexpr (std::is_same_v<Kind, pending::Several>) {
            // Without the last word of the server, what came counts for nothing.
            for (QueryResult& result : kind.results) lost(result, problem);
          }
        },
        each->kind);
  return chain;
}

}  // namespace backends::postgres
