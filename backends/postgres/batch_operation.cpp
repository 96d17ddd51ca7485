// batch: all requests or none, in order, in one transaction.
#include "backends/postgres/operations.hpp"
#include "objects/batch_request.hpp"
#include "objects/errors.hpp"

namespace backends::postgres {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

Task<JsObject> run_put(Work& work, Connection& connection, const JsValue& request, const JsValue& options) {
  const std::string& name = *request.get("bucket")->string();
  const auto table = co_await bucket(work, connection, name, options);
  const JsValue* key = request.get("key");
  if (key == nullptr)
    throw RpcError{objects::errors::database("null value in column \"_key\" of relation \"" + name + "\" violates not-null constraint")};
  const JsValue merged = objects::merged_options(request, options);
  objects::BatchEntry entry(request);
  entry.set("etag", co_await put(work, connection, *table, *key->string(), *request.get("value")->object(), merged));
  co_return entry.finish();
}

Task<JsObject> run(Work& work, Connection& connection, const JsValue& request, const JsValue& options) {
  const std::string operation = objects::batch_operation(request);
  if (operation == "put") co_return co_await run_put(work, connection, request, options);
  const auto table = co_await bucket(work, connection, *request.get("bucket")->string(), options);
  objects::BatchEntry entry(request);
  if (operation == "delete") {
    const JsValue own = objects::delete_options(request, options);
    co_await erase(work, connection, *table, *request.get("key")->string(), own);
    co_return entry.finish();
  }
  const std::string& filter = *request.get("filter")->string();
  const JsValue merged = objects::merged_options(request, options);
  if (operation == "update") {
    const Updated updated = co_await update(work, connection, *table, *request.get("fields")->object(), filter, merged);
    entry.set("count", updated.count);
    entry.set("etag", updated.etag);
    co_return entry.finish();
  }
  entry.set("count", co_await erase_many(work, connection, *table, filter, merged));
  co_return entry.finish();
}

}  // namespace

Values batch(Work& work, const JsArray& arguments) {
  const auto all = [&](Connection& connection) -> Task<JsArray> {
    JsArray etags;
    for (const JsValue& request : *arguments[0].array()) {
      etags.emplace_back(co_await run(work, connection, request, arguments[1]));
      ++work.random;
    }
    co_return etags;
  };
  JsObject value;
  const JsValue* first = arguments[0].array()->empty() ? nullptr : arguments[0].array()->front().get("bucket");
  const std::string name = first != nullptr && first->string() != nullptr ? *first->string() : "";
  const auto attempt = [&]() { return in_transaction<JsArray>(work, all); };
  value.set("etags", co_await with_bucket<JsArray>(work, name, attempt));
  co_return one_value(std::move(value));
}

}  // namespace backends::postgres
