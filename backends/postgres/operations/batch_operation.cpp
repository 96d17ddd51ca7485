// batch: all requests or none, in order, in one transaction. Where each is one statement, they go
// together: one round trip if nothing but the server can refuse them, else two, for what the server
// answers decides whether they are kept. Otherwise one after another.
#include <algorithm>

#include "backends/postgres/operations/write.hpp"
#include "objects/batch_request.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

/// Why a batch must go one request after another: to find which of its errors comes first, or
/// because one takes several statements.
struct OneByOne {};

/// One request as a statement.
struct Planned {
  const JsValue* request = nullptr;
  std::shared_ptr<const BucketTable> table;
  Step step;
  std::optional<Write> write;       // of a put or delete
  std::optional<std::string> etag;  // of what is put or updated
  bool counted = false;
  /// What the server answers decides whether it may be kept.
  [[nodiscard]] bool conditional() const {
    return write && (!write->puts || write->expected || table->has_version);
  }
};

Write plan_put(Work& work, const BucketTable& table, const JsValue& request,
               const JsValue& options) {
  const JsValue* key = request.get("key");
  if (key == nullptr || table.bucket.guarantee_order || objects::check_writable(table.bucket))
    throw OneByOne{};
  const auto stored = objects::stored_key(*key->string());
  if (!stored) throw OneByOne{};
  const JsObject& value = *request.get("value")->object();
  const auto row = objects::new_row(table.bucket, *stored, value, work.now_ms);
  if (!row) throw OneByOne{};
  return put_write(work, table, *key->string(), value, *row,
                   objects::merged_options(request, options));
}

Planned plan(Work& work, std::shared_ptr<const BucketTable> table, const JsValue& request,
             const JsValue& options) {
  Planned planned;
  planned.request = &request;
  const std::string operation = objects::batch_operation(request);
  if (operation == "put") {
    planned.write = plan_put(work, *table, request, options);
    planned.etag = planned.write->etag;
  } else if (operation == "delete") {
    planned.write = erase_write(work, *table, *request.get("key")->string(),
                                objects::delete_options(request, options));
  } else {
    const JsValue merged = objects::merged_options(request, options);
    const std::string& filter = *request.get("filter")->string();
    planned.counted = true;
    if (operation == "update") {
      UpdateStep update =
          update_step(work, *table, *request.get("fields")->object(), filter, merged);
      planned.step = std::move(update.step);
      planned.etag = std::move(update.etag);
    } else {
      planned.step = erase_many_step(work, *table, filter, merged);
    }
  }
  if (planned.write) planned.step = std::move(planned.write->step);
  planned.table = std::move(table);
  return planned;
}

JsObject entry_of(const Planned& planned, const Rows& rows) {
  if (planned.write && !written(*planned.table, *planned.write, rows))
    throw OneByOne{};  // a lost race: again, with more patience
  objects::BatchEntry entry(*planned.request);
  if (planned.counted) entry.set("count", changed_rows(rows));
  if (planned.etag) entry.set("etag", *planned.etag);
  return entry.finish();
}

/// Throws what the first request that failed makes of it.
JsArray entries_of(const Work& work, const std::vector<Planned>& all,
                   std::vector<QueryResult> results) {
  JsArray entries;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (results[i].error && timed_out(*results[i].error, work.limit()))
      throw RpcError{objects::errors::query_timeout(all[i].step.statement().sql)};
    if (results[i].error &&
        results[i].error->skipped())  // what refused them came before all of them
      throw StatementFailed{*results[i].error};
    entries.emplace_back(entry_of(all[i], rows_of(std::move(results[i]))));
  }
  return entries;
}

std::vector<Step> steps_of(const std::vector<Planned>& all) {
  std::vector<Step> steps;
  for (const Planned& each : all) steps.push_back(each.step);
  return steps;
}

/// Planned requests, of one statement each.
Task<std::vector<Planned>> plan_all(Work& work, const JsArray& requests, const JsValue& options) {
  std::vector<Planned> all;
  for (const JsValue& request : requests) {
    Connection& connection = point(work);
    auto table = co_await bucket(work, connection, *request.get("bucket")->string(), options);
    all.push_back(plan(work, std::move(table), request, options));
    ++work.random;
  }
  co_return all;
}

/// Kept as the server's last word says, or not at all where none comes.
Task<JsArray> run_together(Work& work, const std::vector<Planned>& all) {
  if (std::none_of(all.begin(), all.end(),
                   [](const Planned& each) { return each.conditional(); })) {
    Connection& connection = point(work);
    co_return entries_of(work, all, co_await run_all_limited(work, connection, steps_of(all)));
  }
  std::vector<QueryResult> results;
  Transaction transaction = co_await Transaction::begin_with(work, steps_of(all), results);
  const auto judge = [&](Connection&) -> Task<JsArray> {
    co_return entries_of(work, all, std::move(results));
  };
  co_return co_await finish_transaction<JsArray>(std::move(transaction), judge);
}

Task<JsObject> run_one(Work& work, Connection& connection, const JsValue& request,
                       const JsValue& options) {
  const std::string& name = *request.get("bucket")->string();
  const std::string operation = objects::batch_operation(request);
  const auto table = co_await bucket(work, connection, name, options);
  objects::BatchEntry entry(request);
  if (operation == "put") {
    const JsValue* key = request.get("key");
    if (key == nullptr)
      throw RpcError{objects::errors::database("null value in column \"_key\" of relation \"" +
                                               name + "\" violates not-null constraint")};
    const JsValue merged = objects::merged_options(request, options);
    entry.set("etag", co_await put(work, connection, *table, *key->string(),
                                   *request.get("value")->object(), merged));
    co_return entry.finish();
  }
  if (operation == "delete") {
    const JsValue own = objects::delete_options(request, options);
    co_await erase(work, connection, *table, *request.get("key")->string(), own);
    co_return entry.finish();
  }
  const std::string& filter = *request.get("filter")->string();
  const JsValue merged = objects::merged_options(request, options);
  if (operation == "update") {
    const Updated updated =
        co_await update(work, connection, *table, *request.get("fields")->object(), filter, merged);
    entry.set("count", updated.count);
    entry.set("etag", updated.etag);
    co_return entry.finish();
  }
  entry.set("count", co_await erase_many(work, connection, *table, filter, merged));
  co_return entry.finish();
}

Task<JsArray> run_one_by_one(Work& work, const JsArray& requests, const JsValue& options) {
  const auto all = [&](Connection& connection) -> Task<JsArray> {
    JsArray etags;
    for (const JsValue& request : requests) {
      etags.emplace_back(co_await run_one(work, connection, request, options));
      ++work.random;
    }
    co_return etags;
  };
  co_return co_await in_transaction<JsArray>(work, all);
}

std::vector<std::string> buckets_of(const JsArray& requests) {
  std::vector<std::string> names;
  for (const JsValue& request : requests) names.push_back(*request.get("bucket")->string());
  return names;
}

}  // namespace

Values batch(Work& work, const JsArray& arguments) {
  const JsArray& requests = *arguments[0].array();
  const JsValue& options = arguments[1];
  const auto attempt = [&]() -> Task<JsArray> {
    if (requests.empty()) co_return JsArray();
    std::vector<Planned> all;
    bool one_by_one = false;
    try {
      all = co_await plan_all(work, requests, options);
    } catch (const OneByOne&) {
      one_by_one = true;
    } catch (const RpcError&) {
      one_by_one = true;  // an earlier request may fail with another
    }
    try {
      if (!one_by_one) co_return co_await run_together(work, all);
    } catch (const OneByOne&) {
    }
    co_return co_await run_one_by_one(work, requests, options);
  };
  JsObject value;
  value.set("etags", co_await with_buckets<JsArray>(work, buckets_of(requests), attempt));
  co_return one_value(std::move(value));
}

}  // namespace backends::postgres
