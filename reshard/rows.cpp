#include "reshard/rows.hpp"

#include <exception>
#include <utility>

#include "reshard/counts.hpp"
#include "reshard/schema.hpp"

namespace reshard {
namespace {

using backends::postgres::Call;
using backends::postgres::Rows;
using backends::postgres::Session;

/// Signature, flags, length of an extension that there is none of.
constexpr std::string_view kHeader("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
constexpr std::string_view kTrailer("\377\377", 2);

constexpr const char* kId = "_id";

/// What is left of rows that nobody wants any more is read up to here; more ends the session.
constexpr std::size_t kThrownAwayMost = 64 << 20;

/// A table for rows on their way, empty at the end of each transaction: the columns that take
/// values, and those that go as text are text there. Its name says which columns, since they may
/// change while the session lives.
std::string stage_of(Database& to, const Table& table) {
  std::string columns;
  for (const Table::Column& each : table.columns)
    if (!each.generated)
      columns += (columns.empty() ? "" : ", ") + each.name +
                 (each.as_text ? "::text AS " + each.name : std::string());
  const std::string stage = "moray_router_stage_" + std::to_string(table.oid) + "_" +
                            std::to_string(std::hash<std::string>()(columns));
  to.apply().run_all("CREATE TEMP TABLE IF NOT EXISTS " + stage +
                     " ON COMMIT DELETE ROWS AS SELECT " + columns + " FROM " + table.name +
                     " WITH NO DATA");
  return "pg_temp." + stage;
}

/// What is staged, as it gets into the table.
std::string insert_from(const Table& table, const std::string& stage) {
  std::string values;
  for (const Table::Column& each : table.columns)
    if (!each.generated)
      values += (values.empty() ? "" : ", ") + each.name +
                (each.as_text ? "::" + each.type : std::string());
  return "INSERT INTO " + table.name + " (" + table.column_list() +
         ") OVERRIDING SYSTEM VALUE SELECT " + values + " FROM " + stage;
}

std::string next_id(const Table& table) {
  if (table.id_sequence != 0) return "nextval(" + std::to_string(table.id_sequence) + "::regclass)";
  const Table::Column* id = table.column(kId);
  return id == nullptr ? "NULL" : id->otherwise;
}

/// Returns the keys of the rows that stay out. A join, since a list of so many keys may be more
/// than the server's work_mem has room for.
std::string insert_what_fits(const Table& table, const std::string& stage) {
  return "WITH new AS (" + insert_from(table, stage) +
         " ON CONFLICT DO NOTHING RETURNING _key) SELECT s._key FROM " + stage +
         " s WHERE NOT EXISTS (SELECT 1 FROM new n WHERE n._key = s._key)";
}

std::vector<std::string> keys_in(const Rows& rows) {
  std::vector<std::string> keys;
  for (int i = 0; i < rows.count(); ++i) keys.emplace_back(rows.text(i, 0));
  return keys;
}

}  // namespace

void RowBatch::add(std::string_view piece) {
  if (piece.starts_with(kHeader.substr(0, 11))) piece.remove_prefix(kHeader.size());
  if (piece == kTrailer || piece.empty()) return;
  bytes_.append(piece);
  ++rows_;
}

std::string RowBatch::take() {
  std::string whole(kHeader);
  whole += bytes_;
  whole += kTrailer;
  bytes_.clear();
  rows_ = 0;
  return whole;
}

std::string selected(const Table& from, const Table& to, const std::string& row) {
  std::string list;
  for (const Table::Column& column : to.columns) {
    if (column.generated) continue;
    list += list.empty() ? "" : ", ";
    if (column.name == "_vnode") {
      list += vnode_expression(from.bucket, row) + "::" + column.type;
      continue;
    }
    list += row + "." + column.name;
    const Table::Column* here = from.column(column.name);
    if (column.as_text)
      list += "::text";
    else if (column.name == kId && here != nullptr && here->type != column.type)
      list += "::" + column.type;
  }
  return list;
}

std::vector<std::vector<std::string>> in_parts(const std::vector<std::string>& keys) {
  std::vector<std::vector<std::string>> parts;
  std::size_t bytes = 0;
  for (const std::string& key : keys) {
    if (parts.empty() || parts.back().size() >= kKeysAtOnce ||
        bytes + key.size() > kKeyBytesAtOnce) {
      parts.emplace_back();
      bytes = 0;
    }
    parts.back().push_back(key);
    bytes += key.size();
  }
  return parts;
}

std::string text_array(const std::vector<std::string>& texts) {
  std::string array = "{";
  for (const std::string& each : texts) {
    array += array.size() == 1 ? "\"" : ",\"";
    for (const char c : each) {
      if (c == '"' || c == '\\') array += '\\';
      array += c;
    }
    array += '"';
  }
  return array + "}";
}

std::string number_array(const std::vector<std::uint64_t>& numbers) {
  std::string list;
  for (const std::uint64_t each : numbers) list += (list.empty() ? "" : ",") + std::to_string(each);
  return "'{" + list + "}'::bigint[]";
}

void stream_rows(Session& session, const Table& from, const Table& to,
                 const std::vector<std::string>& keys,
                 const std::function<void(RowBatch rows)>& sink) {
  RowBatch rows;
  std::exception_ptr failure;
  std::size_t thrown_away = 0;
  session.stream("SELECT " + selected(from, to, "t") + " FROM " + from.name +
                     " t WHERE t._key = ANY($1::text[])",
                 {text_array(keys)}, [&](std::string_view piece) {
                   if (failure) {
                     thrown_away += piece.size();
                     if (thrown_away > kThrownAwayMost) std::rethrow_exception(failure);
                     return;
                   }
                   rows.add(piece);
                   if (rows.bytes() < kRowBytesAtOnce) return;
                   try {
                     sink(std::exchange(rows, {}));
                   } catch (...) {
                     failure = std::current_exception();
                   }
                 });
  if (failure) std::rethrow_exception(failure);
  if (!rows.empty()) sink(std::move(rows));
}

Replacement::Replacement(Database& to, const Table& table, std::vector<std::string> keys,
                         bool ids_issued_anew, Taken taken)
    : to_(to), table_(table), keys_(std::move(keys)), ids_issued_anew_(ids_issued_anew),
      taken_(taken) {
  if (!table_.counted_in.empty()) counted_ = directories();
  if (ids_issued_anew_ || taken_ == Taken::stays_out || table_.has_texts())
    stage_ = stage_of(to_, table_);
  else
    to_.apply().run_together(drop_old());
}

std::map<std::string, std::int64_t> Replacement::directories() const {
  DirectoryCounts all;
  for (const auto& some : in_parts(keys_))
    for (const auto& [directory, rows] : directories_of(to_.apply(), table_, some))
      all[directory] += rows;
  return all;
}

std::vector<Call> Replacement::drop_old() const {
  std::vector<Call> calls;
  for (const auto& some : in_parts(keys_))
    calls.push_back(
        {"DELETE FROM " + table_.name + " WHERE _key = ANY($1::text[])", {text_array(some)}});
  return calls;
}

void Replacement::add(RowBatch rows) {
  if (rows.empty()) return;
  to_.apply().copy_in("COPY " + (stage_.empty() ? table_.name.sql() : stage_) + " (" +
                          table_.column_list() + ") FROM STDIN (FORMAT binary)",
                      rows.take());
}

/// In one round trip: what is staged gets its ids, the old rows go, the new ones come.
std::vector<Call> Replacement::insert_staged() const {
  std::vector<Call> calls;
  if (ids_issued_anew_)
    calls.push_back({"UPDATE " + stage_ + " s SET _id = coalesce((SELECT t._id FROM " +
                     table_.name + " t WHERE t._key = s._key), " + next_id(table_) + ")"});
  for (Call& each : drop_old()) calls.push_back(std::move(each));
  calls.push_back({taken_ == Taken::stays_out ? insert_what_fits(table_, stage_)
                                              : insert_from(table_, stage_)});
  return calls;
}

std::vector<std::string> Replacement::finish() {
  std::vector<std::string> left;
  if (!stage_.empty()) left = keys_in(to_.apply().run_together(insert_staged()));
  if (table_.counted_in.empty()) return left;
  DirectoryCounts more = directories();
  for (const auto& [directory, rows] : counted_) more[directory] -= rows;
  add_counts(to_.apply(), table_, more);
  return left;
}

std::vector<std::string> insert_rows(Database& to, const Table& table, RowBatch rows,
                                     bool ids_issued_anew) {
  Session& session = to.apply();
  const bool staged = ids_issued_anew || table.unique || table.has_texts();
  const std::string into = staged ? stage_of(to, table) : table.name.sql();
  session.copy_in("COPY " + into + " (" + table.column_list() + ") FROM STDIN (FORMAT binary)",
                  rows.take());
  if (!staged) return {};
  std::vector<Call> calls;
  if (ids_issued_anew) calls.push_back({"UPDATE " + into + " SET _id = " + next_id(table)});
  calls.push_back({insert_what_fits(table, into)});
  std::vector<std::string> left = keys_in(session.run_together(calls));
  session.run("DELETE FROM " + into);
  return left;
}

Applying::Applying(Database& to, const std::string& state)
    : transaction_(to.apply(),
                   "BEGIN; SELECT state, epoch FROM moray_router.reshard_plan WHERE plan = " +
                       std::to_string(to.number()) + " FOR SHARE") {
  const Rows& row = transaction_.first();
  if (row.count() == 0)
    throw ActFailed(std::string("the plan's row is gone from the ") + to.role_name());
  if (row.text(0, 0) != state)
    throw ActFailed(std::string("the plan is ") + row.string(0, 0) + " at the " + to.role_name() +
                    ", not " + state);
  if (row.text(0, 1) != std::to_string(to.epoch()))
    throw NotCoordinator("another coordinator has taken over");
}

std::string row_digest(const Table& table, const std::string& row) {
  std::string list;
  for (const Table::Column& column : table.columns) {
    if (column.name == "_id" || column.name == "_idx") continue;
    list += list.empty() ? "" : ", ";
    list += column.name == "_vnode" ? vnode_expression(table.bucket, row) : row + "." + column.name;
  }
  return "md5((ROW(" + list + "))::text)";
}

}  // namespace reshard
