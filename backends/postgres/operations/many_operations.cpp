// findObjects; updateObjects, deleteMany: one statement over all rows that a filter selects.
#include <charconv>

#include "backends/postgres/operations/first_row_limit.hpp"
#include "backends/postgres/operations/operations.hpp"
#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/sql/condition_sql.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "objects/errors.hpp"
#include "objects/field_update.hpp"
#include "objects/handled_options.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

bool asks_for(const JsValue& options, const char* name) {
  const JsValue* value = options.get(name);
  return value != nullptr && value->truthy();
}

objects::Filter parse(const std::string& text) {
  auto parsed = objects::parse_filter(text);
  if (!parsed.filter) throw RpcError{objects::errors::invalid_query(text)};
  return *std::move(parsed.filter);
}

/// By the bucket as it is known.
void refuse(const objects::Failed& error) {
  if (error) throw RpcError{*error, true};
}

/// What a filter and its options select, as SQL.
struct Selected {
  objects::Condition condition;
  std::string where, order;
  Parameters parameters;
};

/// Rows of vnodes that are another shard's by the ring that the request went by: so that a find
/// sees each once, before its router takes the next ring and after. By another plan's ring: as the
/// plan's row says, and so by any where that is bound to no ring: no `WHEN` is equal to NULL.
std::string not_elsewhere(const BucketTable& table, const std::string& ring,
                          Parameters& parameters) {
  parameters.emplace_back(ring);
  return " AND NOT EXISTS (SELECT 1 FROM moray_router.reshard_side s WHERE s.vnode = " +
         table.table + "._vnode AND CASE $" + std::to_string(parameters.size()) +
         "::text WHEN s.base_digest THEN s.role = 'target' WHEN s.ring_digest THEN s.role = "
         "'source' ELSE s.hidden END)";
}

Selected select(const Work& work, const BucketTable& table, const objects::Filter& filter,
                const JsValue& options, objects::Purpose purpose) {
  auto compiled = objects::compile(table.bucket, filter, purpose);
  if (!compiled) throw RpcError{compiled.error(), true};
  auto selection = objects::selection_of(table.bucket, options);
  if (!selection) throw RpcError{selection.error(), true};
  refuse(compiled->at_execution);
  Selected selected;
  selected.where = where_clause(table, compiled->condition, selected.parameters);
  // A statement that is shown and not carried out is moray's own.
  if (purpose != objects::Purpose::find || !asks_for(options, "sql_only"))
    selected.where = "(" + selected.where + ")" + table.unchanged;
  if (table.hides)
    selected.where =
        "(" + selected.where + ")" + not_elsewhere(table, work.ring, selected.parameters);
  selected.order = order_clause(table, *selection);
  selected.condition = std::move(compiled->condition);
  return selected;
}

std::int64_t count_of(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// `WITH s AS (…)` of the ids, and the condition that names them.
std::string selecting(const BucketTable& table, const Selected& selected) {
  const std::string ids = table.extended_id ? "_id, _idx" : "_id";
  return "WITH s AS (SELECT " + ids + " FROM " + table.table + " WHERE " + selected.where +
         selected.order + ") ";
}
std::string selected_ids(const BucketTable& table) {
  if (!table.extended_id) return " WHERE _id IN (SELECT _id FROM s)";
  return " WHERE _id IN (SELECT _id FROM s WHERE _id IS NOT NULL) OR _idx IN (SELECT _idx FROM s "
         "WHERE _idx IS NOT NULL)";
}

/// sql_only's answer.
JsArray statement_only(const Selected& selected, const std::string& query, const std::string& count,
                       bool counting) {
  JsObject value;
  if (counting) value.set("count", count);
  value.set("query", query);
  JsArray args;
  for (const auto& parameter : selected.parameters) {
    args.emplace_back();
    if (parameter) args.back() = JsValue(*parameter);
  }
  value.set("args", std::move(args));
  return JsArray{std::move(value)};
}

void check_limit(const FirstRowLimit& limit, const std::string& query) {
  if (limit.passed()) throw RpcError{objects::errors::query_timeout(query)};
}

/// True: the client has enough for now. Where counting, the first column is the number of matches.
/// After a row that can't be read, `failed`, nothing follows.
bool emit_rows(Work& work, const BucketTable& table, const Selected& selected, const Rows& rows,
               bool counting, objects::Failed& failed) {
  bool full = false;
  for (int i = 0; i < rows.count() && !failed; ++i) {
    const objects::Row row = table.row_of(rows, i, counting ? 1 : 0);
    auto made = objects::object_of(table.bucket, row);
    if (!made) {
      failed = made.error();
      break;
    }
    JsObject object = *std::move(made);
    if (!objects::holds(selected.condition, row, object))
      continue;  // as moray: a stored NaN, for one
    objects::drop_internal_members(object);
    const objects::Count matches =
        counting ? objects::Count(count_of(rows.text(i, 0))) : objects::Count(objects::NoCount{});
    full = work.emit(
        objects::stringify(objects::reply_of(table.bucket, row, std::move(object), matches)));
  }
  return full;
}

}  // namespace

Values find_objects(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const std::string& text = *arguments[1].string();
  const JsValue& options = arguments[2];
  const objects::Filter filter = parse(text);
  Pool::Lease lease = co_await claim(work, true);
  bool told = false, sent = false;
  for (int attempts = 1;; ++attempts) {
    const auto before = BucketCache::Clock::now();
    const auto table = co_await bucket(work, *lease, name, options);
    Selected selected;
    try {
      if (asks_for(options, "requireIndexes") || asks_for(options, "requireOnlineReindexing"))
        refuse(objects::check_usable_fields(table->bucket, filter, text));
      if (!std::exchange(told, true) && objects::wants_handled_options(options))
        work.emit(std::string(objects::kFindHandledOptions));
      selected = select(work, *table, filter, options, objects::Purpose::find);
    } catch (const RpcError&) {
      if (attempts > 1 || !work.buckets.knew(name, before)) throw;
      work.buckets.drop(name);
      continue;
    }
    const bool counting = !asks_for(options, "no_count");
    const std::string from = " FROM " + table->table + " WHERE " + selected.where;
    const std::string count = "SELECT count(*)" + from;
    // One snapshot, one round trip.
    const std::string query = "SELECT " + (counting ? "(" + count + "), " : std::string()) +
                              table->row_columns() + from + selected.order;
    if (asks_for(options, "sql_only")) co_return statement_only(selected, query, count, counting);

    if (*work.given_up) co_return JsArray();
    Connection& connection = *lease;
    FirstRowLimit limit(work, connection);
    objects::Failed failed;
    const auto take = [&, table](const Rows& rows) {
      limit.met();
      sent = sent || rows.count() > 0;
      return emit_rows(work, *table, selected, rows, counting, failed);
    };
    require_served(work);
    *work.streaming = &connection;
    const QueryResult result = co_await connection.stream(once(query), selected.parameters, take);
    *work.streaming = nullptr;
    limit.met();
    check_limit(limit, query);
    if (failed) throw RpcError{*std::move(failed)};
    if (result) co_return JsArray();
    if (sent || !reads_anew(*result.error, attempts)) throw StatementFailed{*result.error};
    work.buckets.drop(name, before);
  }
}

UpdateStep update_step(Work& work, const BucketTable& table, const JsObject& fields,
                       const std::string& text, const JsValue& options) {
  const objects::Filter filter = parse(text);
  refuse(objects::check_writable(table.bucket));
  auto changes = objects::field_update_of(table.bucket, fields);
  if (!changes) throw RpcError{changes.error(), true};
  refuse(objects::check_usable_fields(table.bucket, filter, text));
  Selected selected = select(work, table, filter, options, objects::Purpose::write);
  UpdateStep update;
  update.etag = objects::update_etag(work.random);
  const auto parameter = [&](std::string value, const std::string& type) {
    selected.parameters.emplace_back(std::move(value));
    return "$" + std::to_string(selected.parameters.size()) + "::" + type;
  };
  std::string sets = "_etag = " + parameter(update.etag, "bpchar");
  sets += ", _mtime = " + parameter(std::to_string(work.now_ms), "bigint");
  for (const auto& [position, column] : *changes) {
    const objects::IndexField& field = table.bucket.fields[position];
    sets += ", " + identifier(field.column) + " = " +
            parameter(objects::to_postgres(column, field.type), sql_type(field.type));
  }
  update.step = Step(once(selecting(table, selected) + "UPDATE " + table.table + " SET " + sets +
                          selected_ids(table)),
                     std::move(selected.parameters));
  return update;
}

Step erase_many_step(const Work& work, const BucketTable& table, const std::string& text,
                     const JsValue& options) {
  const objects::Filter filter = parse(text);
  refuse(objects::check_writable(table.bucket));
  refuse(objects::check_usable_fields(table.bucket, filter, text));
  Selected selected = select(work, table, filter, options, objects::Purpose::write);
  return Step(once(selecting(table, selected) + "DELETE FROM " + table.table + selected_ids(table)),
              std::move(selected.parameters));
}

std::int64_t changed_rows(const Rows& rows) { return count_of(rows.affected()); }

Task<Updated> update(Work& work, Connection& connection, const BucketTable& table,
                     const JsObject& fields, const std::string& text, const JsValue& options) {
  const UpdateStep planned = update_step(work, table, fields, text, options);
  Updated updated;
  updated.count = changed_rows(rows_of(co_await run_limited(work, connection, planned.step)));
  updated.etag = planned.etag;
  co_return updated;
}

Task<std::int64_t> erase_many(Work& work, Connection& connection, const BucketTable& table,
                              const std::string& text, const JsValue& options) {
  const Step step = erase_many_step(work, table, text, options);
  co_return changed_rows(rows_of(co_await run_limited(work, connection, step)));
}

Values update_objects(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  if (const auto error = objects::check_not_empty(*arguments[1].object())) throw RpcError{*error};
  parse(*arguments[2].string());
  Pool::Lease lease = co_await claim(work, false);
  const auto attempt = [&]() -> Task<Updated> {
    const auto table = co_await bucket(work, *lease, name, arguments[3]);
    co_return co_await update(work, *lease, *table, *arguments[1].object(), *arguments[2].string(),
                              arguments[3]);
  };
  const Updated updated = co_await with_bucket<Updated>(work, name, attempt);
  JsObject value;
  value.set("count", updated.count);
  value.set("etag", updated.etag);
  co_return one_value(std::move(value));
}

Values delete_many(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  parse(*arguments[1].string());
  Pool::Lease lease = co_await claim(work, false);
  const auto attempt = [&]() -> Task<std::int64_t> {
    const auto table = co_await bucket(work, *lease, name, arguments[2]);
    co_return co_await erase_many(work, *lease, *table, *arguments[1].string(), arguments[2]);
  };
  JsObject value;
  value.set("count", co_await with_bucket<std::int64_t>(work, name, attempt));
  co_return one_value(std::move(value));
}

}  // namespace backends::postgres
