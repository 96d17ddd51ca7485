#include "objects/errors.hpp"

#include "objects/js_value.hpp"

namespace objects::errors {
namespace {

Error make(std::string name, std::string message) {
  Error error;
  error.name = std::move(name);
  error.message = std::move(message);
  return error;
}

}  // namespace

Error read_only(std::string message) { return make("ReadOnlyError", std::move(message)); }
Error invocation(std::string message) { return make("InvocationError", std::move(message)); }
Error bucket_not_found(const std::string& bucket) {
  return make("BucketNotFoundError", bucket + " does not exist");
}
Error bucket_conflict(const std::string& bucket) {
  return make("BucketConflictError", bucket + " was likely being concurrently updated");
}
Error bucket_version(const std::string& bucket, double asked, double stored) {
  return make("BucketVersionError", bucket + " has a newer version than " + number_text(asked) +
                                        " (" + number_text(stored) + ")");
}
Error invalid_bucket_name(const std::string& bucket) {
  return make("InvalidBucketNameError", bucket + " is not a valid bucket name");
}
Error invalid_bucket_config(std::string message) {
  return make("InvalidBucketConfigError", std::move(message));
}
Error not_function(const std::string& what) {
  return make("NotFunctionError", what + " must be [Function]");
}
Error object_not_found(const std::string& bucket, const std::string& key) {
  return make("ObjectNotFoundError", bucket + "::" + key + " does not exist");
}
Error etag_conflict(const std::string& bucket, const std::string& key, const std::string& expected,
                    const std::string& actual) {
  Error error = make("EtagConflictError", bucket + "::" + key + " was expected to have etag \"" +
                                              expected + "\", but was \"" + actual + "\"");
  JsObject context;
  context.set("bucket", bucket);
  context.set("key", key);
  context.set("expected", expected);
  context.set("actual", actual);
  error.context = stringify(context);
  return error;
}
Error unique_attribute(const std::string& column, const std::string& value) {
  return make("UniqueAttributeError",
              "\"" + column + "\" is a unique attribute; value \"" + value + "\" already exists");
}
Error invalid_index_type(const std::string& field, const std::string& type) {
  return make("InvalidIndexTypeError", "index(" + field + ") is of type " + type);
}
Error invalid_query(const std::string& filter) {
  return make("InvalidQueryError", filter + " is an invalid filter");
}
Error not_indexed(const std::string& bucket, const std::string& what) {
  return make("NotIndexedError", bucket + " does not have indexes that support " + what);
}
Error not_indexed_fields(const std::string& bucket, const std::string& what,
                         const std::vector<std::string>& reindexing,
                         const std::vector<std::string>& unindexed) {
  return make("NotIndexedError", bucket + " does not have indexes that support " + what +
                                     ". Reindexing fields: " + inspect(reindexing) +
                                     ". Unindexed fields: " + inspect(unindexed));
}
Error field_update(const std::string& fields) {
  return make("FieldUpdateError", fields + " is not a valid update definition");
}
Error not_nullable(const std::string& field, const std::string& type) {
  return make("NotNullableError",
              "index \"" + field + "\" (of type \"" + type + "\") cannot store null values");
}
Error invalid_argument(std::string message) {
  return make("InvalidArgumentError", std::move(message));
}
Error plain(std::string message) { return make("Error", std::move(message)); }
Error database(std::string message) { return make("error", std::move(message)); }
Error query_timeout(std::string sql) {
  std::erase(sql, '\n');
  return make("QueryTimeoutError", "query timeout: " + sql);
}
Error bad_row(const std::string& bucket, const std::string& key, const std::string& what) {
  return make("InternalError", "failed to convert row: " + bucket + "::" + key + ": " + what);
}
Error invalid_sql(const std::string& what) { return make("InternalError", "Invalid SQL: " + what); }
Error operation_not_supported() { return plain("Operation not supported"); }
Error unknown_trigger(const std::string& bucket) {
  return make("UnknownTriggerError", "bucket " + bucket +
                                         " has a trigger in JavaScript that can't be run here: "
                                         "its objects can be read and not written");
}

std::string inspect(const std::vector<std::string>& names) {
  if (names.empty()) return "[]";
  std::string list = "[ ";
  for (std::size_t i = 0; i < names.size(); ++i) list += (i > 0 ? ", '" : "'") + names[i] + "'";
  return list + " ]";
}

}  // namespace objects::errors
