// putObject, getObject, delObject: one statement each, but where triggers or an order are kept.
#include "backends/postgres/operations.hpp"

#include <charconv>

#include "backends/postgres/identifier.hpp"
#include "objects/delete_log.hpp"
#include "objects/errors.hpp"
#include "objects/etag.hpp"
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

std::optional<std::string> text_at(const Rows& rows, int column) { return rows.value(0, column); }

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

/// `value` null: a delete.
Task<bool> run_triggers(Work& work, Connection& connection, const BucketTable& table, const JsValue& options, const JsObject* value) {
  if (table.bucket.triggers != objects::Triggers::record_delete_log) co_return false;
  const auto log = objects::record_delete_log(options.get("headers"), value, work.now_ms);
  if (!log) co_return false;
  const std::string columns = log->indexed ? ", objectid" : "", values = log->indexed ? ", $5::text" : "";
  Parameters parameters = parameters_of(log->key, log->value, objects::etag_of(log->value), std::to_string(work.now_ms));
  if (log->indexed) parameters.emplace_back(log->object_id);
  rows_of(co_await connection.run(once("INSERT INTO " + identifier(log->bucket) + " (_key, _value, _etag, _mtime" + columns +
                                           ") VALUES ($1::text, $2::text, $3::bpchar, $4::bigint" + values + ")"),
                                  std::move(parameters)));
  co_return true;
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

Task<bool> put_row(Connection& connection, const BucketTable& table, const std::string& key, const objects::Row& row, const JsValue* wanted) {
  const std::string& bucket = table.bucket.name;
  if (wanted == nullptr) {
    rows_of(co_await connection.run(table.put, put_parameters(table, row)));
    co_return true;
  }
  for (int race = 0; race < kRacesMax; ++race) {
    Parameters parameters = put_parameters(table, row);
    if (!wanted->is_null()) parameters.emplace_back(*wanted->string());
    const Rows rows = rows_of(co_await connection.run(wanted->is_null() ? table.put_new : table.put_known, std::move(parameters)));
    if (rows.text(0, 1) != "0") co_return true;
    const auto actual = text_at(rows, 0);
    if (!wanted->is_null()) throw RpcError{objects::errors::etag_conflict(bucket, key, *wanted->string(), actual.value_or("null"))};
    if (actual) throw RpcError{objects::errors::etag_conflict(bucket, key, "null", *actual)};
  }  // somebody made the row after we had looked, and it is gone again, or not yet seen
  throw RpcError{objects::errors::unique_attribute("_key", row.key)};
}

}  // namespace

bool needs_transaction(const BucketTable& table) {
  return table.bucket.guarantee_order || table.bucket.triggers == objects::Triggers::record_delete_log;
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
  co_await put_row(connection, table, key, row, options.get("etag"));
  co_await run_triggers(work, connection, table, options, &value);
  co_return row.etag;
}

Task<bool> erase(Work& work, Connection& connection, const BucketTable& table, const std::string& key, const JsValue& options) {
  if (const auto error = objects::check_writable(table.bucket)) throw RpcError{*error};
  const std::string stored = value_of(objects::stored_key(key));
  const auto wanted = objects::etag_to_delete(options);
  Parameters parameters = parameters_of(stored);
  if (wanted) parameters.emplace_back(*wanted);
  const Rows rows = rows_of(co_await connection.run(wanted ? table.erase_known : table.erase, std::move(parameters)));
  const auto actual = text_at(rows, 0);
  if (!actual) throw RpcError{objects::errors::object_not_found(table.bucket.name, key)};
  if (rows.text(0, 1) == "0") throw RpcError{objects::errors::etag_conflict(table.bucket.name, key, wanted.value_or("null"), *actual)};
  co_await run_triggers(work, connection, table, options, nullptr);
  co_return true;
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
    const auto write = [&](Connection& on) { return erase(work, on, *table, *arguments[1].string(), arguments[2]); };
    if (!needs_transaction(*table)) co_return co_await write(connection);
    co_return co_await in_transaction<bool>(work, write);
  };
  co_await with_bucket<bool>(work, name, attempt);
  co_return one_value(JsObject());
}

Values get_object(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  const std::string& key = *arguments[1].string();
  if (objects::wants_handled_options(arguments[2])) work.emit(std::string(objects::kGetHandledOptions));
  const auto attempt = [&]() -> Task<JsObject> {
    Connection& connection = point(work);
    const auto table = co_await bucket(work, connection, name, arguments[2]);
    const std::string stored = value_of(objects::stored_key(key));
    const Rows rows = rows_of(co_await connection.run(table->get, parameters_of(stored)));
    if (rows.count() == 0) throw RpcError{objects::errors::object_not_found(name, key)};
    const objects::Row row = table->row_of(rows, 0);
    co_return objects::reply_of(table->bucket, row, objects::object_of(table->bucket, row), objects::NullCount{});
  };
  co_return one_value(co_await with_bucket<JsObject>(work, name, attempt));
}

}  // namespace backends::postgres
