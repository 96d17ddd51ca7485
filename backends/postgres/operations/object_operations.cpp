// putObject, getObject, delObject: one statement each, but where an order is kept.
#include <charconv>

#include "backends/postgres/operations/write.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "objects/errors.hpp"
#include "objects/handled_options.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

constexpr int kRacesMax = 10;  // lost ones for a key that comes and goes

template <typename T>
T value_of(objects::Result<T> result) {
  if (!result) throw RpcError{result.error()};
  return *std::move(result);
}

/// The new serial, which this transaction holds until its end.
Task<std::int64_t> next_serial(Connection& connection, const BucketTable& table) {
  const std::string serial = identifier(table.bucket.name + "_locking_serial");
  const Rows rows = rows_of(co_await connection.run(
      once("UPDATE " + serial + " SET id = id + 1 RETURNING id"), Parameters()));
  std::int64_t id = 0;
  if (rows.count() > 0) {
    const std::string_view text = rows.text(0, 0);
    std::from_chars(text.data(), text.data() + text.size(), id);
  }
  co_return id;
}

/// moray locks the row first, then the serial.
Task<bool> lock_row(Connection& connection, const BucketTable& table, const std::string& key) {
  rows_of(co_await connection.run(
      once("SELECT 1 FROM " + table.table + " WHERE _key = $1::text FOR UPDATE"),
      parameters_of(key)));
  co_return true;
}

/// For a put that fails anyhow: moray looks at the etag first.
Task<bool> check_etag(Connection& connection, const BucketTable& table, const std::string& key,
                      const std::string& stored, const JsValue* wanted) {
  if (wanted == nullptr) co_return true;
  const Rows rows = rows_of(co_await connection.run(
      once("SELECT _etag FROM " + table.table + " WHERE _key = $1::text"), parameters_of(stored)));
  const std::string actual = rows.count() == 0 ? "null" : std::string(rows.text(0, 0));
  const std::string expected = wanted->is_null() ? "null" : *wanted->string();
  if (actual != expected)
    throw RpcError{objects::errors::etag_conflict(table.bucket.name, key, expected, actual)};
  co_return true;
}

/// Sends it until no race is lost.
Task<bool> run_write(Work& work, Connection& connection, const BucketTable& table,
                     const Write& write) {
  for (int race = 0; race < kRacesMax; ++race) {
    const Rows rows = rows_of(co_await run_limited(work, connection, write.step));
    if (written(table, write, rows)) co_return true;
  }  // somebody made the row after we had looked, and it is gone again, or not yet seen
  throw RpcError{objects::errors::unique_attribute("_key", write.stored)};
}

std::string reply_to_get(const BucketTable& table, const Rows& rows, const std::string& key) {
  const objects::Bucket& bucket = table.bucket;
  if (rows.count() == 0) throw RpcError{objects::errors::object_not_found(bucket.name, key)};
  const objects::Row row = table.row_of(rows, 0);
  if (auto stored = objects::stored_reply(bucket, row)) return *std::move(stored);
  return objects::stringify(objects::reply_of(
      bucket, row, value_of(objects::object_of(bucket, row)), objects::NullCount{}));
}

/// A get's row is of its key. If it is not, all that its connection answers may be another's.
void require_own(Connection& connection, const Rows& rows, const std::string& key) {
  if (rows.count() == 0 || rows.text(0, 0) == key ||
      rows.text(0, 0) == value_of(objects::stored_key(key)))
    return;
  connection.close_out_of_step("a get was answered with another key's row");
  throw StatementFailed{QueryError{"", kOutOfStep, ""}};
}

/// The bucket, where nothing has to be asked or limited: then the usual way of a get or put is a
/// single coroutine. Null: it is not known, or this is no usual request.
std::shared_ptr<const BucketTable> known_bucket(Work& work, const std::string& name,
                                                const JsValue& options) {
  const JsValue* fresh = options.get("noBucketCache");
  if (work.statement_limit_ms || (fresh != nullptr && fresh->truthy())) return nullptr;
  return work.buckets.peek(name);
}

/// The put's statement, where it is one and nothing speaks against sending it.
std::optional<Write> usual_put(Work& work, const BucketTable& table, const JsArray& arguments) {
  if (needs_transaction(table) || objects::check_writable(table.bucket)) return std::nullopt;
  const std::string& key = *arguments[1].string();
  const auto stored = objects::stored_key(key);
  if (!stored) return std::nullopt;
  const auto row = objects::new_row(table.bucket, *stored, *arguments[2].object(), work.now_ms);
  if (!row) return std::nullopt;
  return put_write(work, table, key, *arguments[2].object(), *row, arguments[3]);
}

/// Whether it was written. False: nothing was, and the longer way will say why, or do it.
bool was_written(const BucketTable& table, const Write& write, QueryResult result) {
  if (result.error && schema_changed(*result.error)) return false;
  const Rows rows = rows_of(std::move(result));
  try {
    return written(table, write, rows);
  } catch (const NewerRow&) {
    return false;
  }
}

JsArray etag_alone(const std::string& etag) {
  JsObject value;
  value.set("etag", etag);
  return one_value(std::move(value));
}

}  // namespace

bool needs_transaction(const BucketTable& table) { return table.bucket.guarantee_order; }

Task<std::shared_ptr<const BucketTable>> bucket(Work& work, Connection& connection,
                                                const std::string& name, const JsValue& options) {
  const JsValue* fresh = options.get("noBucketCache");
  if (fresh == nullptr || !fresh->truthy())
    if (auto known = work.buckets.peek(name)) co_return known;
  connection.tag(work.affinity);  // what follows on this connection is of that vnode: those after
                                  // it come here too
  co_return co_await work.buckets.load(connection, name);
}

Task<std::string> put(Work& work, Connection& connection, const BucketTable& table,
                      const std::string& key, const JsObject& value, const JsValue& options) {
  if (const auto error = objects::check_writable(table.bucket)) throw RpcError{*error, true};
  const std::string stored = value_of(objects::stored_key(key));
  auto made = objects::new_row(table.bucket, stored, value, work.now_ms);
  if (!made) {
    co_await check_etag(connection, table, key, stored, options.get("etag"));
    throw RpcError{made.error(), true};
  }
  objects::Row row = *std::move(made);
  if (table.bucket.guarantee_order) {
    co_await lock_row(connection, table, stored);
    row.txn_snap = co_await next_serial(connection, table);
  }
  co_await run_write(work, connection, table, put_write(work, table, key, value, row, options));
  co_return row.etag;
}

/// Its post triggers come after the delete in a moray: what is said first is that there is no such
/// object, or another etag.
Task<bool> refuse_erase(Connection& connection, const BucketTable& table, const std::string& key,
                        const JsValue& options, objects::Error refusal) {
  const std::string stored = value_of(objects::stored_key(key));
  const Rows rows = rows_of(co_await connection.run(
      once("SELECT _etag FROM " + table.table + " WHERE _key = $1::text"), parameters_of(stored)));
  if (rows.count() == 0) throw RpcError{objects::errors::object_not_found(table.bucket.name, key)};
  const auto wanted = objects::etag_to_delete(options);
  if (wanted && *wanted != rows.text(0, 0))
    throw RpcError{
        objects::errors::etag_conflict(table.bucket.name, key, *wanted, rows.string(0, 0))};
  throw RpcError{std::move(refusal), true};
}

Task<bool> erase(Work& work, Connection& connection, const BucketTable& table,
                 const std::string& key, const JsValue& options) {
  if (auto refusal = objects::check_writable(table.bucket))
    co_return co_await refuse_erase(connection, table, key, options, *std::move(refusal));
  co_return co_await run_write(work, connection, table, erase_write(work, table, key, options));
}

Values put_object(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  if (const auto table = known_bucket(work, name, arguments[3])) {
    if (const auto write = usual_put(work, *table, arguments)) {
      Connection& connection = point(work);
      connection.tag(work.affinity);
      QueryResult result = co_await connection.run(write->step.statement(), write->step.parameters);
      if (was_written(*table, *write, std::move(result))) co_return etag_alone(write->etag);
      work.buckets.drop(name);
    }
  }
  const auto attempt = [&]() -> Task<std::string> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[3]);
    const auto write = [&](Connection& on) {
      return put(work, on, *table, *arguments[1].string(), *arguments[2].object(), arguments[3]);
    };
    if (!needs_transaction(*table)) co_return co_await write(connection);
    co_return co_await in_transaction<std::string>(work, write);
  };
  co_return etag_alone(co_await with_bucket<std::string>(work, name, attempt));
}

Values del_object(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const auto attempt = [&]() -> Task<bool> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[2]);
    co_return co_await erase(work, connection, *table, *arguments[1].string(), arguments[2]);
  };
  co_await with_bucket<bool>(work, name, attempt);
  co_return one_value(JsObject());
}

Values get_object(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const std::string& key = *arguments[1].string();
  if (objects::wants_handled_options(arguments[2]))
    work.emit(std::string(objects::kGetHandledOptions));
  if (const auto table = known_bucket(work, name, arguments[2])) {
    Connection& connection = point(work);
    connection.tag(work.affinity);
    Parameters parameters = parameters_of(value_of(objects::stored_key(key)));
    require_served(work);
    const QueryResult result =
        co_await connection.run_read(table->get, table->get_bare, std::move(parameters));
    if (given_up(work)) co_return JsArray();
    if (result.error && result.error->lost()) throw StatementFailed{*result.error};
    if (!result.error) {
      require_own(connection, result.rows, key);
      work.emit(reply_to_get(*table, result.rows, key));
      co_return JsArray();
    }  // else the table has changed, or another get's failure was its own too: the longer way
  }
  const auto attempt = [&]() -> Task<std::string> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[2]);
    const std::string stored = value_of(objects::stored_key(key));
    const Rows rows =
        rows_of(co_await read_limited(work, connection, Step(table->get, parameters_of(stored))));
    require_own(connection, rows, key);
    co_return reply_to_get(*table, rows, key);
  };
  work.emit(co_await with_bucket<std::string>(work, name, attempt));
  co_return JsArray();
}

}  // namespace backends::postgres
