// batch: all requests or none, in order.
#include "backends/embedded/operations.hpp"
#include "objects/batch_request.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

objects::Result<JsObject> run_put(const Work& work, const JsValue& request,
                                  const JsValue& options) {
  const std::string& bucket = *request.get("bucket")->string();
  const JsValue* key = request.get("key");
  if (key == nullptr)
    return objects::errors::database("null value in column \"_key\" of relation \"" + bucket +
                                     "\" violates not-null constraint");
  auto etag = put(work, bucket, *key->string(), *request.get("value")->object(),
                  objects::merged_options(request, options));
  if (!etag) return etag.error();
  objects::BatchEntry entry(request);
  entry.set("etag", *etag);
  return entry.finish();
}

objects::Result<JsObject> run(const Work& work, const JsValue& request, const JsValue& options) {
  const std::string operation = objects::batch_operation(request);
  if (operation == "put") return run_put(work, request, options);
  const std::string& bucket = *request.get("bucket")->string();
  objects::BatchEntry entry(request);
  if (operation == "delete") {
    if (auto error = erase(work, bucket, *request.get("key")->string(),
                           objects::delete_options(request, options)))
      return *error;
    return entry.finish();
  }
  const std::string& filter = *request.get("filter")->string();
  if (operation == "update") {
    auto updated = update(work, bucket, *request.get("fields")->object(), filter,
                          objects::merged_options(request, options));
    if (!updated) return updated.error();
    entry.set("count", updated->count);
    entry.set("etag", updated->etag);
    return entry.finish();
  }
  auto count = erase_many(work, bucket, filter, objects::merged_options(request, options));
  if (!count) return count.error();
  entry.set("count", *count);
  return entry.finish();
}

}  // namespace

Values batch(const Work& work, const JsArray& arguments) {
  JsArray etags;
  std::uint64_t random = work.random;
  for (const JsValue& request : *arguments[0].array()) {
    Work one{work.transaction, work.tables, work.now_ms, random++};
    auto entry = run(one, request, arguments[1]);
    if (!entry) return entry.error();
    etags.emplace_back(*std::move(entry));
  }
  JsObject value;
  value.set("etags", std::move(etags));
  return JsArray{std::move(value)};
}

}  // namespace backends::embedded
