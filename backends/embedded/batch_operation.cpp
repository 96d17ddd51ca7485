// batch: all requests or none, in order.
#include "backends/embedded/operations.hpp"
#include "objects/errors.hpp"

namespace backends::embedded {
namespace {

using objects::JsArray;
using objects::JsObject;
using objects::JsValue;

/// The batch's options over the request's, but for headers, where the request's come first.
JsValue merged(const JsValue& request, const JsValue& options) {
  const JsValue* own = request.get("options");
  JsObject result = own != nullptr ? *own->object() : JsObject();
  for (const auto& [name, value] : options.object()->members())
    if (name != "headers" || !result.contains("headers")) result.set(name, value);
  return result;
}

/// A delete heeds only its own etag.
JsValue delete_options(const JsValue& request, const JsValue& options) {
  JsValue result = merged(request, options);
  for (const char* name : {"etag", "_etag"}) {
    result.object()->erase(name);
    const JsValue* own = request.get("options");
    if (const JsValue* etag = own == nullptr ? nullptr : own->get(name)) result.object()->set(name, *etag);
  }
  return result;
}

std::string operation_of(const JsValue& request) {
  const JsValue* operation = request.get("operation");
  return operation == nullptr ? "put" : *operation->string();
}

/// What the answer says of a request: bucket, count, etag, and key and filter as they were given.
class Entry {
 public:
  explicit Entry(const JsValue& request) : request_(request) { entry_.set("bucket", *request.get("bucket")); }
  void set(const char* name, JsValue value) { entry_.set(name, std::move(value)); }
  JsObject finish() {
    for (const char* name : {"key", "filter"})
      if (const JsValue* given = request_.get(name); given != nullptr && given->truthy()) entry_.set(name, *given);
    return std::move(entry_);
  }

 private:
  const JsValue& request_;
  JsObject entry_;
};

objects::Result<JsObject> run_put(const Work& work, const JsValue& request, const JsValue& options) {
  const std::string& bucket = *request.get("bucket")->string();
  const JsValue* key = request.get("key");
  if (key == nullptr)
    return objects::errors::database("null value in column \"_key\" of relation \"" + bucket +
                                     "\" violates not-null constraint");
  auto etag = put(work, bucket, *key->string(), *request.get("value")->object(), merged(request, options));
  if (!etag) return etag.error();
  Entry entry(request);
  entry.set("etag", *etag);
  return entry.finish();
}

objects::Result<JsObject> run(const Work& work, const JsValue& request, const JsValue& options) {
  const std::string operation = operation_of(request);
  if (operation == "put") return run_put(work, request, options);
  const std::string& bucket = *request.get("bucket")->string();
  Entry entry(request);
  if (operation == "delete") {
    if (auto error = erase(work, bucket, *request.get("key")->string(), delete_options(request, options)))
      return *error;
    return entry.finish();
  }
  const std::string& filter = *request.get("filter")->string();
  if (operation == "update") {
    auto updated = update(work, bucket, *request.get("fields")->object(), filter, merged(request, options));
    if (!updated) return updated.error();
    entry.set("count", updated->count);
    entry.set("etag", updated->etag);
    return entry.finish();
  }
  auto count = erase_many(work, bucket, filter, merged(request, options));
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
