// putObject, getObject, delObject: one statement each, but where an order is kept.
#include <charconv>

#include "backends/postgres/identifier.hpp"
#include "backends/postgres/write.hpp"
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
  const Rows rows = rows_of(co_await connection.run(once("UPDATE " + serial + " SET id = id + 1 RETURNING id"), Parameters()));
  std::int64_t id = 0;
  if (rows.count() > 0) {
    const std::string_view text = rows.text(0, 0);
    std::from_chars(text.data(), text.data() + text.size(), id);
  }
  co_return id;
}

/// moray locks the row first, then the serial.
Task<bool> lock_row(Connection& connection, const BucketTable& table, const std::string& key) {
  rows_of(co_await connection.run(once("SELECT 1 FROM " + table.table + " WHERE _key = $1::text FOR UPDATE"), parameters_of(key)));
  co_return true;
}

/// For a put that fails anyhow: moray looks at the etag first.
Task<bool> check_etag(Connection& connection, const BucketTable& table, const std::string& key, const std::string& stored, const JsValue* wanted) {
  if (wanted == nullptr) co_return true;
  const Rows rows = rows_of(co_await connection.run(once("SELECT _etag FROM " + table.table + " WHERE _key = $1::text"), parameters_of(stored)));
  const std::string actual = rows.count() == 0 ? "null" : std::string(rows.text(0, 0));
  const std::string expected = wanted->is_null() ? "null" : *wanted->string();
  if (actual != expected) throw RpcError{objects::errors::etag_conflict(table.bucket.name, key, expected, actual)};
  co_return true;
}

/// Sends it until no race is lost.
Task<bool> run_write(Work& work, Connection& connection, const BucketTable& table, const Write& write) {
  for (int race = 0; race < kRacesMax; ++race) {
    const Rows rows = rows_of(co_await run_limited(work, connection, write.step));
    if (written(table, write, rows)) co_return true;
  }  // somebody made the row after we had looked, and it is gone again, or not yet seen
  throw RpcError{objects::errors::unique_attribute("_key", write.stored)};
}

std::string reply_to_get(const objects::Bucket& bucket, const objects::Row& row) {
  if (auto stored = objects::stored_reply(bucket, row)) return *std::move(stored);
  return objects::stringify(objects::reply_of(bucket, row, objects::object_of(bucket, row), objects::NullCount{}));
}

}  // namespace

bool needs_transaction(const BucketTable& table) {
  return table.bucket.guarantee_order;
}

Task<std::shared_ptr<const BucketTable>> bucket(Work& work, Connection& connection, const std::string& name, const JsValue& options) {
  const JsValue* fresh = options.get("noBucketCache");
  if (fresh == nullptr || !fresh->truthy())
    if (auto known = work.buckets.peek(name)) co_return known;
  co_return co_await work.buckets.load(connection, name);
}

Task<std::string> put(Work& work, Connection& connection, const BucketTable& table, const std::string& key, const JsObject& value, const JsValue& options) {
  if (const auto error = objects::check_writable(table.bucket)) throw RpcError{*error};
  const std::string stored = value_of(objects::stored_key(key));
  auto made = objects::new_row(table.bucket, stored, value, work.now_ms);
  if (!made) {
    co_await check_etag(connection, table, key, stored, options.get("etag"));
    throw RpcError{made.error()};
  }
  objects::Row row = *std::move(made);
  if (table.bucket.guarantee_order) {
    co_await lock_row(connection, table, stored);
    row.txn_snap = co_await next_serial(connection, table);
  }
  co_await run_write(work, connection, table, put_write(work, table, key, value, row, options));
  co_return row.etag;
}

Task<bool> erase(Work& work, Connection& connection, const BucketTable& table, const std::string& key, const JsValue& options) {
  co_return co_await run_write(work, connection, table, erase_write(work, table, key, options));
}

Values put_object(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const auto attempt = [&]() -> Task<std::string> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[3]);
    const auto write = [&](Connection& on) { return put(work, on, *table, *arguments[1].string(), *arguments[2].object(), arguments[3]); };
    if (!needs_transaction(*table)) co_return co_await write(connection);
    co_return co_await in_transaction<std::string>(work, write);
  };
  JsObject value;
  value.set("etag", co_await with_bucket<std::string>(work, name, attempt));
  co_return one_value(std::move(value));
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
  if (objects::wants_handled_options(arguments[2])) work.emit(std::string(objects::kGetHandledOptions));
  const auto attempt = [&]() -> Task<std::string> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[2]);
    const std::string stored = value_of(objects::stored_key(key));
    const Rows rows = rows_of(co_await read_limited(work, connection, Step(table->get, parameters_of(stored))));
    if (rows.count() == 0) throw RpcError{objects::errors::object_not_found(name, key)};
    co_return reply_to_get(table->bucket, table->row_of(rows, 0));
  };
  work.emit(co_await with_bucket<std::string>(work, name, attempt));
  co_return JsArray();
}

}  // namespace backends::postgres
