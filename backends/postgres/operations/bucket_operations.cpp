// createBucket, getBucket, listBuckets, updateBucket, delBucket.
#include <algorithm>

#include "backends/postgres/operations/operations.hpp"
#include "backends/postgres/operations/plan_guard.hpp"
#include "backends/postgres/sql/column_text.hpp"
#include "backends/postgres/wire/identifier.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::Bucket;
using objects::IndexField;
using objects::JsArray;
using objects::JsObject;
using objects::JsValue;
using objects::Scalar;

const Statement kReindexColumn = once(
    "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('buckets_config') AND attname = "
    "'reindex_active' AND NOT attisdropped");

bool is_set(const JsValue& options, const char* name) {
  const JsValue* value = options.get(name);
  return value != nullptr && value->truthy();
}

Bucket checked(const std::string& name, const JsValue& config) {
  auto bucket = objects::check_bucket(name, config);
  if (!bucket) throw RpcError{bucket.error()};
  if (const auto error = objects::check_sql_names(name, bucket->fields)) throw RpcError{*error};
  return *std::move(bucket);
}

const char* method_of(objects::IndexType type) {
  if (type.array) return "GIN";
  return type.scalar == Scalar::numrange || type.scalar == Scalar::daterange ? "GIST" : "BTREE";
}

Statement make_index(const std::string& bucket, const std::string& column, const char* method,
                     bool unique) {
  const std::string name = identifier(bucket + "_" + column + "_idx");
  return once(std::string("CREATE ") + (unique ? "UNIQUE " : "") + "INDEX " + name + " ON " +
              identifier(bucket) + " USING " + method + " (" + identifier(column) + ") WHERE " +
              identifier(column) + " IS NOT NULL");
}

std::string table_of(const Bucket& bucket) {
  const std::string sequence = literal(identifier(bucket.name + "_serial"));
  std::string sql =
      "CREATE TABLE " + identifier(bucket.name) + " (_id BIGINT DEFAULT nextval(" + sequence +
      "), _txn_snap INTEGER, _key TEXT PRIMARY KEY, _value TEXT NOT NULL, _etag CHAR(8) NOT NULL, "
      "_mtime BIGINT DEFAULT CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT), _vnode BIGINT";
  for (const IndexField& field : bucket.fields)
    sql += ", " + identifier(field.column) + " " + sql_type(field.type) +
           (field.unique ? " UNIQUE" : "");
  return sql + ")";
}

/// All of a new bucket's statements behind its row in buckets_config.
std::vector<Statement> objects_of_bucket(const Bucket& bucket) {
  std::vector<Statement> all(1, once("CREATE SEQUENCE " + identifier(bucket.name + "_serial")));
  if (bucket.guarantee_order) {
    const std::string serial = identifier(bucket.name + "_locking_serial");
    all.push_back(once("CREATE TABLE " + serial + " (id INTEGER PRIMARY KEY)"));
    all.push_back(once("INSERT INTO " + serial + " (id) VALUES (1)"));
  }
  all.push_back(once(table_of(bucket)));
  for (const IndexField& field : bucket.fields)
    if (!field.unique)
      all.push_back(make_index(bucket.name, field.column, method_of(field.type), false));
  for (const char* column : {"_id", "_etag", "_mtime", "_vnode"})
    all.push_back(make_index(bucket.name, column, "BTREE", false));
  return all;
}

Task<bool> run_all(Connection& connection, std::vector<Statement> statements) {
  for (const Statement& statement : statements)
    rows_of(co_await connection.run(statement, Parameters()));
  co_return true;
}

Statement select_buckets(const char* condition) {
  return once(std::string("SELECT ") + kBucketColumns + " FROM buckets_config c" + condition);
}

std::vector<Statement> drops(const std::string& name) {
  std::vector<Statement> all;
  all.push_back(once("DROP TABLE " + identifier(name)));
  all.push_back(once("DROP SEQUENCE IF EXISTS " + identifier(name + "_serial")));
  all.push_back(once("DROP TABLE IF EXISTS " + identifier(name + "_locking_serial")));
  return all;
}

/// getBucket's value, as the row is stored.
JsObject shown(const Rows& rows, int row) {
  JsObject value = objects::bucket_row(bucket_of(rows, row));
  for (const auto& [name, column] :
       {std::pair{"index", 1}, std::pair{"pre", 2}, std::pair{"post", 3}})
    value.set(name, JsValue(rows.text(row, column)));
  if (!rows.null(row, 4)) value.set("options", JsValue(rows.text(row, 4)));
  if (rows.text(row, 7) != "t") value.erase("reindex_active");
  return value;
}

Parameters config_parameters(const Bucket& bucket) {
  return parameters_of(bucket.name, objects::stringify(bucket.index),
                       objects::stringify(bucket.pre), objects::stringify(bucket.post),
                       objects::stringify(bucket.options));
}

Task<bool> insert_config(Connection& connection, const Bucket& bucket) {
  const QueryResult result =
      co_await connection.run(once("INSERT INTO buckets_config (name, index, pre, post, options) "
                                   "VALUES ($1::text, $2::text, $3::text, $4::text, $5::text)"),
                              config_parameters(bucket));
  if (!result.error) co_return true;
  if (result.error->sqlstate == "23505")
    throw RpcError{objects::errors::bucket_conflict(bucket.name)};
  throw StatementFailed{*result.error};
}

/// A pointer to wait by: g++ 12 copies an awaited object that is reached by one, and what decides
/// would then not know who waits.
class Word {
 public:
  explicit Word(TwoSteps* steps) : steps_(steps) {}
  [[nodiscard]] bool await_ready() const noexcept { return steps_->await_ready(); }
  void await_suspend(std::coroutine_handle<> waiting) { steps_->await_suspend(waiting); }
  [[nodiscard]] bool await_resume() const noexcept { return steps_->await_resume(); }

 private:
  TwoSteps* steps_;
};

/// In a transaction, where no plan is under way; and where the change is one of several shards',
/// not before each of them has said so.
Task<bool> change_buckets(Work& work, std::function<Task<bool>(Connection&)> change) {
  const auto guarded = [&](Connection& connection) -> Task<bool> {
    co_await require_no_plan(connection);
    if (work.steps != nullptr) {
      Word word(work.steps);
      const bool proceed = co_await word;
      if (!proceed) throw RpcError{objects::errors::read_only("the change was taken back")};
    }
    co_return co_await change(connection);
  };
  co_return co_await in_transaction<bool>(work, guarded);
}

/// The statements that make a table fit an update.
std::vector<Statement> changes_of(const objects::BucketUpdate& update, bool versioned) {
  const Bucket& bucket = update.bucket;
  const std::string alter = "ALTER TABLE " + identifier(bucket.name);
  std::vector<Statement> all;
  if (versioned) {
    all.push_back(once(alter + " ADD COLUMN IF NOT EXISTS _rver INTEGER"));
    Statement index = make_index(bucket.name, "_rver", "BTREE", false);
    index.sql.replace(0, std::string("CREATE INDEX").size(), "CREATE INDEX IF NOT EXISTS");
    all.push_back(std::move(index));
  }
  for (const std::string& name : update.removed)
    all.push_back(once(alter + " DROP COLUMN " + identifier(name)));
  std::vector<const IndexField*> added;
  for (const std::string& name : update.added) added.push_back(bucket.field(name));
  for (const IndexField* field : added)
    all.push_back(
        once(alter + " ADD COLUMN " + identifier(field->column) + " " + sql_type(field->type)));
  std::stable_partition(added.begin(), added.end(),
                        [](const IndexField* field) { return !field->unique; });
  for (const IndexField* field : added)
    all.push_back(make_index(bucket.name, field->column, method_of(field->type), field->unique));
  return all;
}

}  // namespace

Values create_bucket(Work& work, const JsArray& arguments) {
  const Bucket bucket = checked(*arguments[0].string(), arguments[1]);
  const auto create = [&](Connection& connection) -> Task<bool> {
    co_await insert_config(connection, bucket);
    co_return co_await run_all(connection, objects_of_bucket(bucket));
  };
  co_await change_buckets(work, create);
  work.buckets.changed(bucket.name);
  co_return JsArray();
}

Values get_bucket(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[1].string();
  if (name.find('\0') != std::string::npos) throw RpcError{objects::errors::bucket_not_found(name)};
  const Rows rows = rows_of(co_await run_limited(
      work, point(work), Step(select_buckets(" WHERE c.name = $1::text"), parameters_of(name))));
  if (rows.count() == 0) throw RpcError{objects::errors::bucket_not_found(name)};
  co_return one_value(shown(rows, 0));
}

Values list_buckets(Work& work) {
  const Rows rows =
      rows_of(co_await run_limited(work, point(work), Step(select_buckets(""), Parameters())));
  JsArray all;
  for (int i = 0; i < rows.count(); ++i) all.emplace_back(shown(rows, i));
  co_return all;
}

Values update_bucket(Work& work, const JsArray& arguments) {
  const Bucket wanted = checked(*arguments[0].string(), arguments[1]);
  const bool no_reindex = is_set(arguments[2], "no_reindex");
  const auto change = [&](Connection& connection) -> Task<bool> {
    // Altered only where it must be: that locks out every reader.
    const Rows known = rows_of(co_await connection.run(kReindexColumn, Parameters()));
    if (known.count() == 0)
      rows_of(co_await connection.run(
          once("ALTER TABLE buckets_config ADD COLUMN IF NOT EXISTS reindex_active TEXT"),
          Parameters()));
    const Rows rows = rows_of(co_await connection.run(
        select_buckets(" WHERE c.name = $1::text FOR UPDATE"), parameters_of(wanted.name)));
    if (rows.count() == 0) throw RpcError{objects::errors::bucket_not_found(wanted.name)};
    auto update = objects::update_bucket(bucket_of(rows, 0), wanted, no_reindex);
    if (!update) throw RpcError{update.error()};
    const Bucket& bucket = update->bucket;
    Parameters parameters = config_parameters(bucket);
    parameters.push_back(bucket.reindex.is_null()
                             ? std::nullopt
                             : std::optional(objects::stringify(bucket.reindex)));
    rows_of(co_await connection.run(once("UPDATE buckets_config SET index = $2::text, pre = "
                                         "$3::text, post = $4::text, options = $5::text, "
                                         "reindex_active = $6::text WHERE name = $1::text"),
                                    std::move(parameters)));
    co_return co_await run_all(connection, changes_of(*update, !no_reindex && bucket.version != 0));
  };
  co_await change_buckets(work, change);
  work.buckets.changed(wanted.name);
  co_return JsArray();
}

Values del_bucket(Work& work, const JsArray& arguments) {
  const std::string& name = *arguments[0].string();
  if (objects::reserved_bucket_name(name))
    throw RpcError{objects::errors::invalid_bucket_name(name)};
  const auto drop = [&](Connection& connection) -> Task<bool> {
    const Rows rows = rows_of(co_await connection.run(
        once("DELETE FROM buckets_config WHERE name = $1::text RETURNING 1"), parameters_of(name)));
    if (rows.count() == 0) throw RpcError{objects::errors::bucket_not_found(name)};
    co_return co_await run_all(connection, drops(name));
  };
  co_await change_buckets(work, drop);
  work.buckets.changed(name);
  co_return JsArray();
}

}  // namespace backends::postgres
